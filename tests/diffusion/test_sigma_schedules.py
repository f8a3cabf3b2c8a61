"""Sigma schedules: the stored numbers, and the laws that hold for every one of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdnb.diffusion.noise_schedules import linear, scaled_linear
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField, UnknownName
from sdnb.registry import SCHEDULES
from tests.reference import array, levels, rows

STORED = [row for row in rows("sigma") if row["scheduler"] in SCHEDULES.names()]


@pytest.mark.parametrize("row", STORED, ids=lambda row: f"{row['scheduler']}-{row['id']}")
def test_levels_equal_the_reference(row):
    # given
    stored = torch.tensor(levels(row["offset"], row["len"]), dtype=torch.float64)

    # when
    found = sigmas(
        row["scheduler"],
        row["steps"],
        denoise=row["denoise"],
        discard_penultimate=row["kind"] == "discard",
    )

    # then
    assert found.shape == stored.shape
    assert torch.allclose(found, stored, rtol=2e-6, atol=0)


@pytest.mark.parametrize("name", SCHEDULES.names())
@settings(deadline=None, max_examples=60)
@given(steps=st.integers(1, 200))
def test_levels_fall_strictly_to_zero(name, steps):
    # when
    found = sigmas(name, steps)

    # then
    assert found.dtype == torch.float64
    assert found[-1] == 0
    assert (found.diff() < 0).all()
    assert len(found) == steps + 1 or (name == "ddim_uniform" and len(found) > steps)


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_a_partial_run_visits_the_last_levels_of_a_longer_one(name):
    # when
    part, whole = sigmas(name, 10, denoise=0.5), sigmas(name, 20)

    # then
    assert torch.equal(part, whole[-11:])


def test_the_noise_table_is_stable_diffusions():
    # given
    table = array("model_sigmas_f32").double()

    # then
    assert torch.allclose(scaled_linear().sigmas, table, rtol=2e-6, atol=0)


@pytest.mark.parametrize("noise_schedule", [scaled_linear(), linear()], ids=["scaled", "linear"])
def test_timesteps_and_levels_convert_into_each_other(noise_schedule):
    for t in (0.0, 0.5, 17.0, 500.25, 999.0):
        assert noise_schedule.t(noise_schedule.sigma(t)) == pytest.approx(t, abs=1e-9)
    assert noise_schedule.t(noise_schedule.sigma_max * 2) == 999
    assert noise_schedule.t(0.0) == 0
    assert noise_schedule.snr(500.0) == pytest.approx(noise_schedule.sigma(500.0) ** -2)


def test_an_unknown_schedule_names_the_nearest():
    with pytest.raises(UnknownName, match="karras"):
        sigmas("karas", 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 5, "denoise": 0.0},
        {"steps": 4, "denoise": 0.002},
        {"steps": 5, "rho": float("nan")},
    ],
)
def test_levels_that_cannot_be_are_refused(wrong):
    with pytest.raises(InvalidField):
        sigmas("karras", **wrong)
