import pytest
import torch

from sdnb.training.diffusion import (
    LOG_SIGMA,
    TIMESTEPS,
    CaptionedLatents,
    timesteps_of,
    training_alphas_cumprod,
)
from sdnb.training.emphasis import cover_numbered
from sdnb.training.tokenizer import train_tokenizer


def log_sigmas(t):
    alphas_cumprod = training_alphas_cumprod()[t]
    return ((1 - alphas_cumprod) / alphas_cumprod).log() / 2


def test_timesteps_follow_the_log_normal_distribution_of_sigma():
    # given
    mean, deviation = LOG_SIGMA
    quantiles = torch.tensor([0.1587, 0.5, 0.8413])
    # when
    logs = log_sigmas(timesteps_of(quantiles))
    # then
    assert logs.tolist() == pytest.approx([mean - deviation, mean, mean + deviation], abs=0.01)


def test_timesteps_end_where_the_schedule_ends():
    # given
    u = torch.tensor([0.0, 1e-7, 1 - 1e-7, 1.0])
    # when, then
    assert timesteps_of(u).tolist() == [0, 0, TIMESTEPS - 1, TIMESTEPS - 1]


def test_the_parts_of_a_step_share_its_images_and_spread_its_timesteps():
    # given
    generator = torch.Generator().manual_seed(0)
    data = CaptionedLatents(
        latents=torch.randn(6, 4, 16, 16, generator=generator),
        covers=cover_numbered(6),
        tokenizer=train_tokenizer(["a red circle in the snow"], vocabulary=600),
        seed=0,
        batch=8,
        parts=4,
    )
    # when
    parts, again = data.draw(5), data.draw(5)
    t = torch.cat([part.t for part in parts]).sort().values
    # then
    assert sum(part.share for part in parts) == 1
    assert sum(part.named_share for part in parts) == pytest.approx(1)
    assert all(part.covers.shape == (2, 2, 16, 16) for part in parts)
    assert all(part.named.shape == (2, 2, 77) for part in parts)
    assert all(torch.equal(a.eps, b.eps) for a, b in zip(parts, again, strict=True))
    edges = timesteps_of(torch.arange(9) / 8)
    assert torch.all(edges[:-1] <= t) and torch.all(t <= edges[1:])
