import pytest
import torch

from sdnb.diffusion.prediction import PREDICTIONS
from sdnb.training.loss import pixel_loss, psnr, v_loss, vae_loss, velocity, weigh_levels


def test_what_is_learned_is_the_velocity_that_sampling_reads():
    # given
    generator = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))
    sigma = torch.tensor([0.03, 1.0, 14.6])[:, None, None, None]
    # when
    v = velocity(x0, eps, kept=1 / (1 + sigma**2))
    read = PREDICTIONS["v_prediction"](v, x0 + sigma * eps, sigma)
    # then
    assert torch.allclose(read, eps, atol=1e-5)


def test_a_perfect_prediction_costs_nothing_and_weights_scale_errors():
    # given
    v = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    weight = torch.cat([torch.full((2, 1, 8, 4), 1.5), torch.full((2, 1, 8, 4), 0.5)], dim=3)
    left = torch.zeros_like(v)
    left[..., :4] = 1
    # when
    perfect, off_left = v_loss(v, v, weight), v_loss(v + left, v, weight)
    # then
    assert perfect == 0
    assert off_left == pytest.approx(0.75)


def test_noisier_levels_weigh_less_and_none_weighs_nothing():
    # given
    sigma = torch.logspace(-2, 1.2, 20)
    # when
    weight = weigh_levels(sigma)
    # then
    assert torch.all(weight.diff() < 0)
    assert 5 < weight[0] / weight[-1] < 10


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


def test_pixels_of_no_weight_cost_nothing():
    # given
    images, weight = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    wrong = images.clone()
    wrong[..., 0] = 1
    # when
    counted, left_out = pixel_loss(wrong, images, weight + 2), pixel_loss(wrong, images, weight)
    # then
    assert counted == 2 * pixel_loss(wrong, images) > 0
    assert left_out == 0


def test_psnr_of_an_error_of_a_tenth_of_the_range_is_twenty_decibels():
    # given
    images = torch.zeros(1, 3, 4, 4)
    # when, then
    assert psnr(images + 0.2, images) == pytest.approx(20)
