"""Distances between runs, step by step, at equal levels."""

import pytest
import torch

import sdnb
from sdnb.comparison.differences import _at, measure_differences
from sdnb.errors import InvalidField
from sdnb.request import GenerationRequest
from sdnb.trace import Trace

SMALL = GenerationRequest(prompt="a red circle", seed=3, width=32, height=32)


@pytest.fixture(scope="module")
def comparison(pipe):
    return sdnb.compare(pipe, SMALL, sampler=["euler", "heun", "dpmpp_2m"], steps=[4, 8])


@pytest.fixture(scope="module")
def found(comparison):
    return measure_differences(comparison, {"sampler": "heun", "steps": 8})


def test_runs_of_one_start_part_from_it_and_end_at_the_table_s_distance(comparison, found):
    # when
    scores = comparison.scores({"sampler": "heun", "steps": 8})

    # then
    ends = {row.name: row.latent_rmse for row in scores}
    assert found.reference == "heun, steps 8"
    assert [each.name for each in found.cells] == [
        name for name in comparison.plan.names if name != "heun, steps 8"
    ]
    for each in found.cells:
        assert each.rmse[0] < 1e-5
        assert each.sigmas[-1] == 0
        assert each.rmse[-1] == pytest.approx(ends[each.name])


def test_each_is_measured_at_its_own_levels(comparison, found):
    for each in found.cells:
        place = comparison.plan.names.index(each.name)
        assert each.sigmas == comparison.results[place].trace.sigmas


def test_euler_against_itself_with_a_stop_left_out_differs_after_it_only(pipe):
    # given
    schedules = ["custom sigmas=10,5,0", "custom sigmas=10,0"]
    comparison = sdnb.compare(pipe, SMALL.changed(sampler="euler"), schedule=schedules)

    # when
    (cell,) = measure_differences(comparison, {"schedule": schedules[1]}).cells

    # then
    assert cell.sigmas == (10.0, 5.0, 0.0)
    assert cell.rmse[:2] == pytest.approx((0, 0), abs=1e-5)
    assert cell.rmse[2] > 1e-3


def test_levels_over_the_reference_s_start_are_left_out(pipe):
    # given
    schedules = ["custom sigmas=10,5,1,0", "custom sigmas=6,1,0"]
    comparison = sdnb.compare(pipe, SMALL, schedule=schedules)

    # when
    (cell,) = measure_differences(comparison, {"schedule": schedules[1]}).cells

    # then
    assert cell.sigmas == (5.0, 1.0, 0.0)


@pytest.mark.parametrize(("sigma", "value"), [(9, 8), (8, 8), (6, 4), (4, 0), (1, 3), (0, 4)])
def test_between_two_stops_latents_lie_on_a_line_in_sigma(sigma, value):
    x = torch.tensor([8.0, 0.0, 4.0]).reshape(3, 1, 1, 1, 1)
    trace = Trace((8.0, 4.0, 0.0), x, x[1:], (), (1, 1))
    assert float(_at(trace, float(sigma))) == value


def test_runs_without_states_and_of_several_sizes_are_refused(pipe):
    bare = sdnb.compare(pipe, SMALL, steps=[1, 2], keep="none")
    with pytest.raises(InvalidField, match="kept none"):
        measure_differences(bare, {"steps": 1})
    wide = sdnb.compare(pipe, SMALL.changed(steps=1), width=[32, 40])
    with pytest.raises(InvalidField, match="one size"):
        measure_differences(wide, {"width": 40})
