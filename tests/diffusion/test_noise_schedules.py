"""Noise schedules: laws that hold for every one, and equality with diffusers'."""

import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from sdnb.diffusion.noise_schedules import (
    LEAST_ALPHA_CUMPROD,
    NoiseSchedule,
    linear,
    rescale_to_zero_snr,
    scaled_linear,
    squaredcos_cap_v2,
    zero_terminal_snr,
)
from sdnb.errors import InvalidField, UnknownName
from sdnb.registry import NOISE_SCHEDULES
from tests.reference import array

NAMES = NOISE_SCHEDULES.names()
MADE = {name: NOISE_SCHEDULES[name]() for name in NAMES}


def test_the_noise_table_is_stable_diffusions():
    # given
    table = array("model_sigmas_f32").double()

    # then
    assert torch.allclose(scaled_linear().sigmas, table, rtol=2e-6, atol=0)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=25)
@given(T=st.integers(2, 2000))
def test_less_of_the_picture_is_left_at_every_timestep(name, T):
    # when
    alphas_cumprod = NOISE_SCHEDULES[name](T).alphas_cumprod

    # then
    assert alphas_cumprod.shape == (T,)
    assert alphas_cumprod.dtype == torch.float64
    assert ((alphas_cumprod > 0) & (alphas_cumprod < 1)).all()
    assert (alphas_cumprod.diff() < 0).all()


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(t=st.floats(0, 999))
def test_timesteps_and_levels_convert_into_each_other(name, t):
    # given
    schedule = MADE[name]

    # then
    assert schedule.t(schedule.sigma(t)) == pytest.approx(t, abs=1e-8)
    assert schedule.snr(t) == pytest.approx(schedule.sigma(t) ** -2)


@pytest.mark.parametrize("schedule", MADE.values(), ids=MADE)
def test_levels_outside_the_trained_range_give_its_ends(schedule):
    assert schedule.t(schedule.sigma_max * 2) == pytest.approx(999)
    assert schedule.t(schedule.sigma_min / 2) == 0
    assert schedule.t(0.0) == 0
    assert schedule.sigma(0.0) == pytest.approx(schedule.sigma_min)
    assert schedule.sigma(999.0) == pytest.approx(schedule.sigma_max)


@pytest.mark.parametrize(
    ("found", "config"),
    [
        (scaled_linear(), {"beta_schedule": "scaled_linear"}),
        (linear(), {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}),
        (squaredcos_cap_v2(), {"beta_schedule": "squaredcos_cap_v2"}),
        (zero_terminal_snr(), {"beta_schedule": "scaled_linear", "rescale_betas_zero_snr": True}),
    ],
    ids=["scaled_linear", "linear", "squaredcos_cap_v2", "zero_terminal_snr"],
)
def test_the_table_equals_that_of_diffusers(found, config):
    # given
    config = {"beta_start": 0.00085, "beta_end": 0.012, **config}
    theirs = DDIMScheduler(**config).alphas_cumprod.double()

    # then: theirs is computed in float32
    assert torch.allclose(found.alphas_cumprod, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("schedule", MADE.values(), ids=MADE)
def test_rescaling_keeps_the_first_level_and_leaves_nothing_at_the_last(schedule):
    # when
    rescaled = rescale_to_zero_snr(schedule).alphas_cumprod

    # then
    assert rescaled[0].item() == pytest.approx(schedule.alphas_cumprod[0].item())
    assert 0 < rescaled[-1] <= LEAST_ALPHA_CUMPROD


def test_zero_snr_leaves_a_finite_last_level():
    assert zero_terminal_snr().alphas_cumprod[-1] == LEAST_ALPHA_CUMPROD
    assert zero_terminal_snr().sigma_max == pytest.approx(4517.54, abs=0.01)


@pytest.mark.parametrize(
    "make",
    [
        lambda: linear(beta_end=2.0),
        lambda: linear(beta_start=0.0),
        lambda: scaled_linear(T=0),
        lambda: NoiseSchedule(torch.tensor([0.5, 0.9], dtype=torch.float64)),
        lambda: NoiseSchedule(torch.tensor([0.5, float("nan")], dtype=torch.float64)),
    ],
)
def test_a_table_that_cannot_be_is_refused(make):
    with pytest.raises(InvalidField, match="keeps less") as caught:
        make()
    assert caught.value.fix


def test_an_unknown_noise_schedule_names_the_nearest():
    with pytest.raises(UnknownName, match="squaredcos_cap_v2"):
        NOISE_SCHEDULES.check("squaredcos")


@pytest.mark.parametrize("name", NAMES)
def test_a_noise_schedule_says_where_it_comes_from(name):
    assert "arXiv:" in NOISE_SCHEDULES[name].__doc__
