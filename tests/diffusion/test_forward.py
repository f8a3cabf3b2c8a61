"""The forward chain is the closed form, step by step."""

import pytest
import torch

from sdnb.diffusion.forward import add_more_noise, add_noise, noise_chain
from sdnb.diffusion.noise import step_noise
from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.errors import InvalidField


def draw(seed, shape=(2, 4, 8, 8)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_step_is_that_of_the_papers_on_their_scale():
    # given
    clock, x, eps = scaled_linear(), draw(0), draw(1)
    alphas, levels = clock.alphas_cumprod, clock.sigmas.tolist()
    for t in (1, 500, 999):
        beta = 1 - alphas[t] / alphas[t - 1]
        before, after = ((1 + levels[i] ** 2) ** 0.5 for i in (t - 1, t))
        # when
        step = add_more_noise(x, eps, levels[t - 1], levels[t]) / after
        # then
        paper = (1 - beta).sqrt() * x / before + beta.sqrt() * eps
        assert torch.allclose(step, paper, atol=1e-12)


def test_a_step_from_no_noise_is_the_closed_form():
    x, eps = draw(0), draw(1)
    assert torch.equal(add_more_noise(x, eps, 0.0, 3.0), add_noise(x, eps, 3.0))


def test_the_chain_has_the_moments_of_the_closed_form_at_every_level():
    # given
    x0, levels = draw(0, (64, 256)).float(), [0.1, 0.5, 2.0, 2.0, 14.6]
    # when
    chain = list(noise_chain(x0, levels, step_noise(range(64), x0)))
    # then
    assert len(chain) == len(levels)
    error = 5 / x0.numel() ** 0.5  # five standard errors
    for x, sigma in zip(chain, levels, strict=True):
        z = (x - x0) / sigma
        assert float(z.mean()) == pytest.approx(0, abs=error)
        assert float(z.std()) == pytest.approx(1, abs=error)
        assert float((z * x0).mean()) == pytest.approx(0, abs=error)  # noise knows no picture


@pytest.mark.parametrize("levels", [(2.0, 1.0), (-1.0, 1.0)])
def test_noise_is_only_added(levels):
    with pytest.raises(InvalidField, match="adds noise"):
        add_more_noise(draw(0), draw(1), *levels)
