"""Sigma schedules: the stored numbers, and the laws that hold for every one of them."""

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from sdnb.diffusion.sigma_schedules import schedule, sigmas
from sdnb.errors import InvalidField, UnknownName
from sdnb.registry import NOISE_SCHEDULES, SCHEDULES
from tests.reference import levels, rows

# These round to whole timesteps, and give as many levels as there are different ones.
MORE, FEWER = ("ddim_uniform",), ("beta",)


def halving(steps, noise_schedule):
    return [noise_schedule.sigma_max / 2**i for i in range(steps)]


OPTIONS = {"custom": {"sigmas": halving}}


def stored_levels(row):
    stored = torch.tensor(levels(row["offset"], row["len"]), dtype=torch.float64)
    if row["scheduler"] == "kl_optimal" and stored.isnan().any():
        assert len(stored) == 2  # one step is 0 / 0 there; here it goes from the first level to 0
        stored[0] = 14.614641189575195
    return stored


STORED = {row["scheduler"]: [] for row in rows("sigma")}
for row in rows("sigma"):
    STORED[row["scheduler"]].append(row)


@pytest.mark.parametrize("name", STORED)
def test_levels_equal_the_reference(name):
    off = []
    for row in STORED[name]:
        # given
        stored = stored_levels(row)

        # when
        is_cut = row["kind"] == "discard"
        found = sigmas(name, row["steps"], denoise=row["denoise"], discard_penultimate=is_cut)

        # then
        if found.shape != stored.shape or not torch.allclose(found, stored, rtol=2e-6, atol=0):
            off.append((row, found))
    assert off == []


@pytest.mark.parametrize("name", SCHEDULES.names())
@settings(deadline=None, max_examples=60)
@given(steps=st.integers(1, 200))
def test_levels_fall_strictly_to_zero(name, steps):
    # when
    found = sigmas(name, steps, **OPTIONS.get(name, {}))

    # then
    assert found.dtype == torch.float64
    assert found[-1] == 0
    assert (found.diff() < 0).all()
    assert len(found) == steps + 1 or name in (MORE if len(found) > steps else FEWER)


@pytest.mark.parametrize("noise_schedule", NOISE_SCHEDULES.names())
@pytest.mark.parametrize("name", SCHEDULES.names())
def test_levels_fall_strictly_on_every_noise_schedule(name, noise_schedule):
    for steps in (1, 2, 7, 50):
        found = sigmas(name, steps, noise_schedule=noise_schedule, **OPTIONS.get(name, {}))
        assert found.isfinite().all()
        assert (found.diff() < 0).all()
        assert found[-1] == 0


@pytest.mark.parametrize("name", sorted({*SCHEDULES.names()} - {*MORE, "align_your_steps"}))
def test_one_step_goes_from_the_noisiest_level_to_zero(name):
    assert sigmas(name, 1, **OPTIONS.get(name, {})).tolist() == pytest.approx([14.61464, 0.0])


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_a_partial_run_visits_the_last_levels_of_a_longer_one(name):
    # given
    options = OPTIONS.get(name, {})

    # when
    part, whole = sigmas(name, 10, denoise=0.5, **options), sigmas(name, 20, **options)

    # then
    assert torch.equal(part, whole[-11:])


def test_polyexponential_of_one_is_exponential():
    # when
    bent, straight = sigmas("polyexponential", 9, rho=3), sigmas("polyexponential", 9)

    # then
    assert torch.equal(straight, sigmas("exponential", 9))
    assert (bent[1:-2] < straight[1:-2]).all()
    assert bent[-2].item() == pytest.approx(straight[-2].item())
    assert bent[0].item() == pytest.approx(straight[0].item())


def test_trailing_ends_every_equal_stretch_of_timesteps():
    # given
    trained = NOISE_SCHEDULES["scaled_linear"]().sigmas

    # when / then: timesteps 1000, 900, ... of Lin et al. 2023, counted from 1
    assert torch.equal(sigmas("trailing", 10)[:-1], trained[[999 - 100 * i for i in range(10)]])


def test_the_linear_half_of_linear_quadratic_removes_its_share():
    # when
    share = 1 - sigmas("linear_quadratic", 20, threshold_noise=0.1) / 14.614641189575195

    # then
    assert share[:11].tolist() == pytest.approx([0.01 * i for i in range(11)], abs=1e-6)
    assert (share.diff().diff()[10:] > 0).all()


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("beta_sigma", "use_beta_sigmas"),
        ("karras", "use_karras_sigmas"),
        ("exponential", "use_exponential_sigmas"),
    ],
)
@pytest.mark.parametrize("steps", [2, 10, 50])
def test_levels_equal_those_of_diffusers(name, flag, steps):
    # given
    theirs = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **{flag: True}
    )

    # when
    theirs.set_timesteps(steps)

    # then: theirs is computed in float32
    assert torch.allclose(sigmas(name, steps), theirs.sigmas.double(), rtol=1e-4, atol=0)


def test_trailing_takes_the_timesteps_of_diffusers():
    # given
    trained = NOISE_SCHEDULES["scaled_linear"]().sigmas
    theirs = DDIMScheduler(timestep_spacing="trailing")

    # when / then
    for steps in (1, 3, 7, 30, 999):
        theirs.set_timesteps(steps)
        assert torch.equal(sigmas("trailing", steps)[:-1], trained[theirs.timesteps])


def test_beta_merges_the_quantiles_that_round_to_one_timestep():
    assert len(sigmas("beta", 138)) == 139
    assert len(sigmas("beta", 139)) == 139


def test_a_part_of_merged_levels_is_a_part_or_is_refused():
    # given
    whole = sigmas("beta", 500)

    # when / then
    assert torch.equal(sigmas("beta", 450, denoise=0.9), whole[-451:])
    with pytest.raises(InvalidField, match="too few different levels"):
        sigmas("beta", 900, denoise=0.95)
    assert len(sigmas("beta", 900)) < 901


def test_the_level_before_zero_stays_where_it_is_the_only_one():
    assert len(sigmas("beta", 1, discard_penultimate=True, alpha=1e-3, beta=1e-9)) == 2


def test_even_quantiles_of_a_flat_beta_distribution_are_even():
    assert sigmas("beta_sigma", 3, alpha=1, beta=1).tolist() == pytest.approx(
        [14.61464, (14.61464 + 0.0291672) / 2, 0.0291672, 0], rel=1e-5
    )


@pytest.mark.parametrize("last", [[0.0], []], ids=["to zero", "not to zero"])
def test_a_schedule_of_ones_own_goes_to_zero(last):
    # given
    @schedule("mine")
    def mine(steps, noise_schedule):
        return halving(steps, noise_schedule) + last

    # when / then
    try:
        if last:
            assert sigmas("mine", 3).tolist() == pytest.approx([14.61464, 7.30732, 3.65366, 0])
        else:
            with pytest.raises(InvalidField, match="fall to 0"):
                sigmas("mine", 3)
    finally:
        SCHEDULES.remove("mine")


def test_an_unknown_schedule_names_the_nearest():
    with pytest.raises(UnknownName, match="karras"):
        sigmas("karas", 10)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("karras", {"steps": 0}),
        ("karras", {"denoise": 0.0}),
        ("karras", {"denoise": 0.002}),
        ("karras", {"rho": float("nan")}),
        ("karras", {"rho": 0}),
        ("karras", {"rho": 1e-9}),
        ("polyexponential", {"rho": 0}),
        ("polyexponential", {"rho": -1}),
        ("beta", {"alpha": 0.0}),
        ("beta_sigma", {"beta": float("inf")}),
        ("linear_quadratic", {"threshold_noise": 2.0}),
        ("linear_quadratic", {"threshold_noise": float("nan")}),
    ],
)
def test_levels_that_cannot_be_are_refused(name, wrong):
    with pytest.raises(InvalidField) as caught:
        sigmas(name, **{"steps": 5, **wrong})
    assert caught.value.given
    assert caught.value.allowed
    assert caught.value.fix


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_a_schedule_says_where_it_comes_from(name):
    assert name == "custom" or "Source: " in SCHEDULES[name].__doc__
