"""Levels drawn by hand: they fall whatever is done to them, and are sampled beside another's."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnb.choice import Choice
from sdnb.errors import InvalidField
from sdnb.labs.levels import moved, resampled
from sdnb.labs.schedules import Schedules

PATIENCE = 60.0
SMALL = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 4, "seed": 7}
BOUNDS = (0.03, 14.6)


@pytest.fixture
def lab(pipe):
    lab = Schedules(pipe)
    lab.form.type({"steps": 4})
    return lab


def fall(levels):
    return all(low < high for high, low in pairwise(levels))


@given(
    index=st.integers(0, 7),
    moves=st.lists(st.tuples(st.integers(0, 7), st.floats(-5, 1e6)), max_size=12),
)
def test_levels_fall_within_their_bounds_whatever_is_moved(index, moves):
    levels = (14.0, 8.0, 5.0, 3.0, 1.5, 0.7, 0.2, 0.05)
    for place, sigma in [(index, 4.0), *moves]:
        levels = moved(levels, place, sigma, BOUNDS)
        assert fall(levels)
        assert BOUNDS[0] * 0.999 <= levels[-1] and levels[0] <= BOUNDS[1] * 1.001


def test_a_moved_level_stands_where_it_was_put_and_pushes_those_in_its_way():
    levels = (10.0, 5.0, 2.0, 1.0)
    assert moved(levels, 1, 4.0, BOUNDS) == (10.0, 4.0, 2.0, 1.0)
    pushed = moved(levels, 1, 1.5, BOUNDS)
    assert pushed[:2] == (10.0, 1.5)
    assert 1.0 < pushed[2] < 1.5
    assert pushed[3] == 1.0


@given(steps=st.integers(1, 40))
def test_another_number_of_steps_keeps_the_ends_and_falls(steps):
    levels = resampled((10.0, 4.0, 0.5, 0.1, 0.0), steps)
    assert len(levels) == steps + 1
    assert fall(levels)
    assert levels[0] == 10.0
    assert steps == 1 or levels[-2] == 0.1


def test_it_begins_as_the_reference(lab):
    assert lab.levels == pytest.approx(lab.curves[0].sigmas, rel=1e-4)
    assert lab.curves[0].name == "karras"
    assert [curve.name for curve in lab.curves[1:]] == ["normal", "exponential"]


def test_steps_and_levels_follow_each_other(lab):
    lab.form.steps = "6"
    assert len(lab.levels) == 7
    lab.write("10, 5, 1")
    assert lab.levels == (10.0, 5.0, 1.0, 0.0)
    assert lab.form.steps == 3
    assert len(lab.curves[0].sigmas) == 4


@pytest.mark.parametrize("typed", ["1, 2, 3", "a lot", "5 nan 1", ""])
def test_levels_that_cannot_be_are_said_and_the_good_ones_stay(lab, typed):
    # given
    before = lab.levels

    # when
    lab.write(typed)
    lab.draw(**SMALL)

    # then
    assert list(lab.errors) == ["levels"]
    assert (lab.levels, lab.typed, lab.phase) == (before, typed, "idle")
    lab.copy_reference()
    assert lab.errors == {}


def test_a_schedule_that_cannot_be_is_said_where_it_is_named(lab):
    lab.choose("normal", "karras rho=0")
    assert list(lab.errors) == ["chosen"]
    lab.choose("normal")
    lab.form.schedule = "karras rho=0"
    assert list(lab.errors) == ["schedule"]
    assert [curve.name for curve in lab.curves] == ["normal"]


def test_both_are_sampled_from_one_noise_and_what_is_made_stays(lab):
    # given
    lab.draw(**SMALL)
    assert lab.wait(PATIENCE)
    same = lab.pair

    # when
    lab.move(1, 2.0)
    lab.draw()
    assert lab.wait(PATIENCE)

    # then: the same levels draw the same picture, up to their rounding
    assert same.rmse < 0.5
    assert lab.pair.reference is same.reference
    assert lab.pair.rmse > same.rmse
    assert lab.result is lab.pair.drawn
    assert lab.result.request.schedule == Choice("custom", (("sigmas", lab.levels),))
    assert lab.pair.drawn.seeds == lab.pair.reference.seeds == (7,)
    assert lab.pair.difference.size == (64, 64)


def test_an_empty_seed_is_one_for_both(lab):
    lab.draw(**{**SMALL, "steps": 1, "seed": ""})
    assert lab.wait(PATIENCE)
    assert lab.pair.drawn.seeds == lab.pair.reference.seeds


def test_each_change_is_sampled_where_that_is_wanted(lab):
    # given
    lab.form.type(SMALL)
    lab.follows = True

    # when
    lab.move(2, 0.5)
    lab.move(2, 0.6)
    assert lab.wait(PATIENCE)

    # then: the last one was
    assert lab.pair.drawn.request.schedule == Choice("custom", (("sigmas", lab.levels),))


def test_a_run_with_levels_of_its_own_is_opened_with_them(lab, pipe):
    lab.open(pipe.run(**SMALL, schedule="custom sigmas=9,3,1"))
    assert lab.levels == (9.0, 3.0, 1.0, 0.0)
    assert lab.form.schedule == "karras"
    assert lab.form.seed == 7


def test_a_sampler_with_levels_of_its_own_is_refused_beside_it(lab):
    lab.draw(**SMALL, sampler="dpm_adaptive")
    assert list(lab.errors) == ["sampler"]
    assert lab.phase == "idle"


def test_what_is_typed_stays_as_it_is_until_a_level_is_moved(lab):
    lab.write("9,4,1")
    assert lab.typed == "9,4,1"
    lab.move(0, 8.0)
    assert lab.typed == "8, 4, 1"


def test_a_level_that_is_not_there_cannot_be_moved(lab):
    with pytest.raises(InvalidField, match="0 … 3"):
        lab.move(4, 1.0)
