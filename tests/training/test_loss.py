import pytest
import torch

from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.training.loss import eps_loss, min_snr_weight, psnr, vae_loss


def test_the_weight_is_one_where_noise_rules_and_falls_towards_clean_timesteps():
    # given
    alphas_cumprod = scaled_linear().alphas_cumprod.float()
    t = torch.arange(1000)
    # when
    weight = min_snr_weight(alphas_cumprod, t, gamma=5.0)
    snr = alphas_cumprod / (1 - alphas_cumprod)
    # then
    assert torch.all(weight[snr <= 5] == 1)
    assert torch.allclose((weight * snr)[snr > 5], torch.tensor(5.0))
    assert torch.all(weight.diff() >= 0)


def test_a_perfect_prediction_costs_nothing_and_weights_scale_errors():
    # given
    eps = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor([1.0, 0.5])
    # when
    perfect, off_by_one = eps_loss(eps, eps, weight), eps_loss(eps + 1, eps, weight)
    # then
    assert perfect == 0
    assert off_by_one == pytest.approx(0.75)


def test_the_vae_pays_for_wrong_pixels_and_for_leaving_the_unit_gaussian():
    # given
    images, still = torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 1, 1)
    # when
    best = vae_loss(images, images, still, still)
    wrong_pixels = vae_loss(images + 0.1, images, still, still)
    far_latents = vae_loss(images, images, still + 3, still)
    # then
    assert best == 0
    assert wrong_pixels > 0.01 and far_latents > 0


def test_psnr_of_an_error_of_a_tenth_of_the_range_is_twenty_decibels():
    # given
    images = torch.zeros(1, 3, 4, 4)
    # when, then
    assert psnr(images + 0.2, images) == pytest.approx(20)
