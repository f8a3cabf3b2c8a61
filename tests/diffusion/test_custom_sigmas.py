"""Levels of one's own: a list, a function, or what is no level at all."""

import pytest
import torch

from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField


@pytest.mark.parametrize(
    "given",
    [[14.6, 5, 1, 0], (14.6, 5, 1), torch.tensor([14.6, 5, 1, 0], dtype=torch.float64)],
    ids=["list", "without its zero", "tensor"],
)
@pytest.mark.parametrize("discard_penultimate", [False, True])
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_a_list_is_visited_as_it_stands(given, discard_penultimate, steps):
    found = sigmas("custom", steps, sigmas=given, discard_penultimate=discard_penultimate)
    assert found.tolist() == [14.6, 5, 1, 0]


def test_the_levels_are_a_copy_of_the_list():
    # given
    mine = torch.tensor([3.0, 0.0], dtype=torch.float64)

    # when
    sigmas("custom", 1, sigmas=mine)[0] = 7

    # then
    assert mine[0] == 3


def test_a_function_is_asked_for_the_steps_on_the_models_range():
    # given
    def line(steps, noise_schedule):
        return torch.linspace(noise_schedule.sigma_max, 0, steps + 1)

    # when
    found = sigmas("custom", 5, sigmas=line)
    part = sigmas("custom", 5, sigmas=line, denoise=0.5)

    # then
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([14.61464 * (5 - i) / 5 for i in range(6)], rel=1e-6)
    assert part.tolist() == pytest.approx([14.61464 * (5 - i) / 10 for i in range(6)], rel=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        (),
        (0,),
        (1, 2, 0),
        (2, 2, 0),
        (2, 1, -1),
        (2, 1, 0, 0),
        (float("nan"), 0),
        (float("inf"), 1, 0),
        lambda _steps, _noise_schedule: [[1, 0]],
        "high",
        14.6,
        True,
        lambda _steps, _noise_schedule: [1, 2, 0],
        lambda _steps, _noise_schedule: None,
    ],
)
def test_what_does_not_fall_to_zero_is_refused(given):
    with pytest.raises(InvalidField) as caught:
        sigmas("custom", 2, sigmas=given)
    assert caught.value.allowed
    assert caught.value.fix


def test_a_list_without_its_name_is_told_how_to_write_it():
    with pytest.raises(InvalidField, match=r"custom sigmas=14\.6,5,1,0"):
        sigmas("custom", 3)


def test_a_list_begins_where_it_begins():
    with pytest.raises(InvalidField, match="begin the list at a lower level"):
        sigmas("custom", 3, sigmas=[5, 1, 0], denoise=0.5)
