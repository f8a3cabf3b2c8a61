"""Laws that every registered sampler obeys; a new one is tested by existing."""

import math

import pytest
import torch

from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Step
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField, UnknownName
from sdnb.registry import SAMPLERS

NAMES = SAMPLERS.names()
MEAN, VARIANCE = 0.3, 0.8


def gaussian(x, sigma):
    """The best denoiser of Gaussian data, in closed form."""
    return MEAN + VARIANCE / (VARIANCE + sigma**2) * (x - MEAN)


def error_after(name, steps):
    """Distance to the exact solution of the probability-flow ODE, noise switched off."""
    levels = sigmas("karras", steps + 1)[:-1].tolist()
    options = {"eta": 0.0} if "eta" in SAMPLERS.options(name) else {}
    x = torch.full((1, 1), 1.7 * levels[0], dtype=torch.float64)
    shrink = math.sqrt((VARIANCE + levels[-1] ** 2) / (VARIANCE + levels[0] ** 2))
    exact = MEAN + (x - MEAN) * shrink
    return float((sample(gaussian, x, levels, name, **options) - exact).abs())


@pytest.mark.parametrize("name", NAMES)
def test_the_measured_order_is_the_declared_one(name):
    # when
    coarse, fine = error_after(name, 60), error_after(name, 120)

    # then
    assert math.log2(coarse / fine) == pytest.approx(SAMPLERS[name].order, abs=0.2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sampler_keeps_dtype_and_inputs(name, dtype):
    # given
    x = torch.randn(2, 3, dtype=dtype, generator=torch.Generator().manual_seed(1)) * 10
    before, levels = x.clone(), sigmas("karras", 5)

    # when
    end = sample(gaussian, x, levels, name)

    # then
    assert end.dtype == dtype
    assert torch.equal(x, before)
    assert levels[0] == sigmas("karras", 5)[0]


@pytest.mark.parametrize("name", NAMES)
def test_one_step_to_zero_gives_the_denoised_start(name):
    # given
    x = torch.tensor([[5.0]], dtype=torch.float64)

    # when
    end = sample(gaussian, x, [10.0, 0.0], name)

    # then
    assert torch.allclose(end, gaussian(x, 10.0))


def variance_error(name, steps):
    """How far the spread of many endpoints is from the data's."""
    generator, levels = torch.Generator().manual_seed(1), sigmas("karras", steps).tolist()

    def draw(_sigma, _sigma_next):
        return torch.randn(1, 40_000, generator=generator, dtype=torch.float64)

    start = MEAN + draw(0.0, 0.0) * math.sqrt(VARIANCE + levels[0] ** 2)
    return abs(float(sample(gaussian, start, levels, name, draw).var()) - VARIANCE)


@pytest.mark.parametrize("name", [name for name in NAMES if SAMPLERS[name].stochastic])
def test_the_spread_of_the_data_is_approached_with_more_steps(name):
    # when
    coarse, fine = variance_error(name, 80), variance_error(name, 160)

    # then
    assert coarse < 0.1
    assert fine < max(0.02, 0.7 * coarse)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0, 5.0])
def test_an_ancestral_step_splits_the_variance_without_loss(eta):
    down, up = ancestral_split(3.0, 2.0, eta)
    assert down**2 + up**2 == pytest.approx(4.0)
    assert (up == 0) == (eta == 0)


def test_less_than_no_noise_is_refused():
    with pytest.raises(InvalidField, match="share of noise"):
        ancestral_split(3.0, 2.0, -1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_shown_with_the_answer_at_its_own_start(name):
    # given
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 3).tolist()
    noise = lambda _sigma, _sigma_next: torch.zeros_like(x)  # noqa: E731
    proposals = SAMPLERS[name](x, levels, noise, scaled_linear())

    # when
    said = next(proposals)
    while not isinstance(said, Step):
        said = proposals.send(gaussian(said.x, said.sigma))

    # then
    assert torch.allclose(said.denoised, gaussian(x, levels[0]))


def test_ddim_joins_euler_and_euler_ancestral():
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 7)
    for eta, twin in ((0.0, "euler"), (1.0, "euler_ancestral")):
        end = sample(gaussian, x, levels, "ddim", eta=eta)
        assert torch.allclose(end, sample(gaussian, x, levels, twin), rtol=1e-12)


def test_an_unknown_option_names_the_known_ones():
    with pytest.raises(UnknownName, match="eta"):
        SAMPLERS.bind("euler_ancestral", {"etta": 1.0})
    with pytest.raises(InvalidField, match="number"):
        SAMPLERS.bind("euler_ancestral", {"eta": "much"})


def test_the_table_of_names_matches_what_the_modules_register():
    for name in NAMES:
        assert SAMPLERS[name].name == name
