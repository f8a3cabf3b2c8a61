"""Comparing without a widget: typed axes, a grid that fills, stops, goes on, and is measured."""

from threading import Event

import pytest
import torch

from sdnb.comparison import solution
from sdnb.comparison.compare import compare
from sdnb.errors import InvalidField, UnknownName
from sdnb.labs.compare import CompareLab
from sdnb.labs.seen_cells import CellWatch
from sdnb.request import GenerationRequest

SMALL = {"prompt": "a red circle", "width": 32, "height": 32, "steps": 3, "seed": 7}
PATIENCE = 60.0


@pytest.fixture
def lab(pipe):
    lab = CompareLab(pipe)
    yield lab
    lab.stop()
    lab._worker.wait(PATIENCE)


def filled(lab, *axes, **fields):
    lab.fill(*(axes or ("sampler=euler,heun", "steps=2,3")), **{**SMALL, **fields})
    assert lab.wait(PATIENCE)
    return lab.comparison


def test_a_grid_is_that_of_plain_python(lab, pipe):
    # when
    comparison = filled(lab)

    # then
    asked = {name: value for name, value in SMALL.items() if name != "steps"}
    plain = compare(pipe, sampler=["euler", "heun"], steps=[2, 3], **asked)
    assert lab.phase == "finished"
    assert comparison.plan.names == plain.plan.names
    for mine, theirs in zip(comparison.results, plain.results, strict=True):
        assert torch.equal(mine.latents, theirs.latents)
    assert [cell.image for cell in lab.cells] == [r.images[0] for r in comparison.results]
    assert lab.progress == (10, 10)


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        ("sampler=eulr", UnknownName),
        ("sampler=euler_ancestral eto=1", UnknownName),
        ("smpler=euler", UnknownName),
        ("steps=0,5", InvalidField),
        ("steps=many", InvalidField),
        ("cfg=nan", InvalidField),
    ],
)
def test_a_wrong_axis_is_said_beside_its_row_alone(lab, axis, kind):
    # when
    lab.fill("seed=1,2", axis)
    assert lab.wait(PATIENCE)

    # then
    assert {name: type(error) for name, error in lab.errors.items()} == {"axis_1": kind}
    assert (lab.phase, lab.comparison) == ("idle", None)


def test_a_field_is_compared_in_one_row(lab):
    lab.axes = ("steps=5", "steps=10", "")
    assert list(lab.errors) == ["axis_1"]


def test_a_row_without_values_is_no_axis_yet(lab):
    lab.axes = ("steps=", "", "sampler=euler")
    assert lab.errors == {}
    filled(lab, *lab.axes, steps=1)
    assert [axis.name for axis in lab.comparison.plan.axes] == ["sampler"]


def test_what_is_wrong_in_the_form_is_said_beside_its_field(lab):
    lab.fill("steps=2,3", width=33)
    assert list(lab.errors) == ["width"]
    assert lab.comparison is None


def test_values_that_do_not_go_together_are_told(lab):
    lab.form.fill(GenerationRequest(strength=0.5))
    lab.fill("denoise=0.5,1", "steps=4,5")
    with pytest.raises(InvalidField, match="two meanings"):
        lab.wait(PATIENCE)
    assert (lab.errors, lab.comparison) == ({}, None)


def test_stop_keeps_what_is_finished_and_resume_computes_the_rest(lab):
    # given: short runs beside long ones, stopped when the short have ended
    ended = Event()

    def look(_):
        if any(cell.outcome is not None for cell in lab.cells):
            ended.set()

    lab.observe(look, "cells")
    lab.fill("steps=2,60", **SMALL)
    assert ended.wait(PATIENCE)

    # when
    lab.stop()
    assert lab.wait(PATIENCE)
    stopped = lab.phase, [result is not None for result in lab.comparison.results]
    made = lab.comparison.steps[0]
    lab.resume()
    assert lab.wait(PATIENCE)

    # then
    assert stopped == ("stopped", [True, False])
    assert 2 < made < 62
    assert lab.phase == "finished"
    assert lab.comparison.is_complete
    assert not lab._worker.is_busy


def test_cells_at_work_are_seen_as_sketches(lab, monkeypatch):
    # given: each look is due
    monkeypatch.setattr(CellWatch, "is_due", True)
    seen = []
    lab.observe(lambda change: seen.extend(change["new"]), "cells")

    # when
    filled(lab, "steps=6,8", width=64, height=64)

    # then
    on_the_way = [cell for cell in seen if cell.outcome is None and cell.image is not None]
    assert any(cell.is_sketch for cell in on_the_way)
    assert {cell.image.size for cell in on_the_way} <= {(64, 64)}


def test_a_cell_that_fails_says_why_and_leaves_the_others(lab):
    # when
    filled(lab, "lora=none,nowhere.safetensors")

    # then
    good, bad = lab.cells
    assert good.image is not None
    assert bad.outcome is lab.comparison.outcome(1)
    with pytest.raises(type(bad.outcome)):
        lab.result(1)


def test_the_steps_can_be_paged_through_and_a_new_grid_forgets_them(lab):
    # given
    filled(lab)

    # when
    lab.flip()
    assert lab.wait(PATIENCE)
    book = lab.book
    filled(lab, "steps=1,2")

    # then
    assert (len(book.moments), len(book.pages[0])) == (4, 4)
    assert lab.book is None


def test_decoding_the_steps_can_be_stopped(lab):
    # given
    filled(lab)
    begun = Event()
    lab.observe(lambda _: begun.set(), "progress")

    # when
    lab.flip()
    assert begun.wait(PATIENCE)
    lab.stop()
    assert lab.wait(PATIENCE)

    # then
    assert lab.book is None
    assert lab.phase == "finished"


def test_errors_are_measured_and_measuring_can_be_stopped(lab, monkeypatch):
    # given
    monkeypatch.setattr(solution, "STEPS", 30)
    monkeypatch.setattr(solution, "CHECK_STEPS", 15)
    filled(lab, "steps=2,12", cfg_scale=1)
    begun = Event()
    lab.observe(lambda _: begun.set(), "progress")

    # when
    lab.measure()
    assert begun.wait(PATIENCE)
    lab.stop()
    assert lab.wait(PATIENCE)
    stopped = lab.phase, lab.scores
    lab.measure()
    assert lab.wait(PATIENCE)

    # then
    assert stopped == ("finished", None)
    far, near = (row.latent_rmse for row in lab.scores)
    assert near < far


def test_results_that_were_drawn_one_by_one_are_laid_side_by_side(lab, pipe):
    # given
    first = pipe.run(GenerationRequest(**SMALL))
    second = pipe.branch(first, 1, cfg_scale=8).finish()

    # when
    for result in (first, second, second):
        lab.add(result)
    assert lab.wait(PATIENCE)

    # then
    assert lab.comparison.plan.axes[0].captions == ("cfg_scale 4", "cfg_scale 8")
    assert lab.comparison.results == [first, second]
    assert lab.phase == "finished"
    assert lab.result(1) is second


def test_before_there_is_anything_each_action_says_what_to_do(lab):
    for action in (lab.resume, lab.flip, lab.measure, lab.save):
        with pytest.raises(InvalidField, match="fill a grid first"):
            action()
