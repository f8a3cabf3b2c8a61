"""Axes cross to cells, or go side by side."""

import pytest

import sdnb
from sdnb.comparison.plan import cross, pair
from sdnb.errors import InvalidField, UnknownName
from sdnb.events import During, Hooks
from sdnb.hook_use import HookUse
from sdnb.lora import Lora
from sdnb.request import GenerationRequest

REQUEST = GenerationRequest(prompt="a red circle", seed=7)


def test_axes_cross_with_the_last_one_fastest():
    plan = cross(REQUEST, {"sampler": ["euler", "heun"], "steps": [10, 20]})

    assert [cell.labels for cell in plan.cells] == [
        ("euler", "10"),
        ("euler", "20"),
        ("heun", "10"),
        ("heun", "20"),
    ]
    assert plan.cells[3].request == REQUEST.changed(sampler="heun", steps=20)


def test_values_side_by_side_make_one_axis():
    plan = pair(REQUEST, {"sampler": ["euler", "heun"], "steps": [20, 10]})

    assert [axis.name for axis in plan.axes] == ["sampler + steps"]
    assert [cell.labels for cell in plan.cells] == [("euler + 20",), ("heun + 10",)]


def test_without_axes_there_is_one_cell():
    (cell,) = cross(REQUEST, {}).cells
    assert cell.request == REQUEST
    assert cell.labels == ()


def test_hooks_can_be_an_axis_and_are_named():
    def brighten(event):
        return event.x_next

    plan = cross(REQUEST, {"hooks": [Hooks(), Hooks(on_step=(During(brighten, 3),))]})

    assert plan.axes[0].labels == ("no hooks", "step:brighten")
    assert plan.cells[1].hooks.on_step
    assert plan.cells[0].work != plan.cells[1].work


def test_loras_can_be_an_axis_and_are_named():
    plan = cross(REQUEST, {"loras": [(), (Lora("ink", 0.5), Lora("b")), "ink:0.8"]})

    assert plan.axes[0].labels == ("none", "ink:0.5, b:1", "ink:0.8")
    assert [len(cell.request.loras) for cell in plan.cells] == [0, 2, 1]


def test_equal_cells_are_equal_work():
    plan = cross(REQUEST, {"cfg_scale": [4.0, 4, 5.0]})
    assert len({cell.work for cell in plan.cells}) == 2


@pytest.mark.parametrize(
    ("make", "values", "error", "said"),
    [
        (cross, {"steps": []}, InvalidField, "an axis has values"),
        (cross, {"sampler": ["eulr"]}, UnknownName, "euler"),
        (cross, {"step": [3]}, UnknownName, "steps"),
        (cross, {"hooks": [print]}, InvalidField, "takes Hooks"),
        (pair, {"steps": [3], "seed": [1, 2]}, InvalidField, "side by side"),
    ],
)
def test_what_cannot_be_planned_is_said(make, values, error, said):
    with pytest.raises(error, match=said):
        make(REQUEST, values)


def test_a_cell_s_name_says_what_its_numbers_are():
    plan = cross(REQUEST, {"sampler": ["heun s_churn=1"], "steps": [10], "cfg_scale": [1.0, -2.5]})
    assert plan.names == (
        "heun s_churn=1, steps 10, cfg_scale 1",
        "heun s_churn=1, steps 10, cfg_scale -2.5",
    )


def test_comparing_is_a_public_name():
    assert "compare" in sdnb.__all__
    assert len(sdnb.__all__) <= 30


def test_hooks_that_are_registered_are_part_of_the_request():
    uses = (HookUse.parse("denoise:rescaled_cfg"),)
    plan = cross(REQUEST, {"hooks": [(), uses]})

    assert plan.axes[0].labels == ("none", "denoise:rescaled_cfg")
    assert [cell.request.hooks for cell in plan.cells] == [(), uses]
    assert all(cell.hooks == Hooks() for cell in plan.cells)
