"""``%%sd --compare``: axes as they are written, a grid that fills, an interrupt, going on."""

import re
from pathlib import Path

import pytest

from sdnb.choice import Choice
from sdnb.comparison import solution
from sdnb.comparison.axes import read_axes
from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.errors import InvalidField, UnknownName
from sdnb.hook_use import HookUse
from sdnb.magics.complete import proposals
from tests.magics.conftest import Notebook


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("sampler=ddim,heun", "sampler", (Choice("ddim"), Choice("heun"))),
        ("steps=5,10, 20", "steps", (5, 10, 20)),
        ("cfg=1,4.5", "cfg_scale", (1.0, 4.5)),
        (
            "sampler=euler_ancestral eta=0.5,heun",
            "sampler",
            (Choice("euler_ancestral", (("eta", 0.5),)), Choice("heun")),
        ),
        (
            "schedule=custom sigmas=14.6,5,1,0,karras",
            "schedule",
            (Choice("custom", (("sigmas", (14.6, 5, 1, 0)),)), Choice("karras")),
        ),
        ("prompt=a cat, asleep|a dog", "prompt", ("a cat, asleep", "a dog")),
        ("seed=1,none", "seed", (1, None)),
        ("on=none,step:f", "hooks", ((), (HookUse.parse("step:f"),))),
    ],
)
def test_an_axis_is_a_flag_with_a_list(text: str, field: str, values: tuple[object, ...]) -> None:
    assert read_axes([text]) == ((field, values),)


@pytest.mark.parametrize(
    ("texts", "error", "what"),
    [
        (["sampler"], InvalidField, "FLAG=A,B"),
        (["smpler=ddim"], UnknownName, "sampler"),
        (["steps=5", "steps=10"], InvalidField, "twice"),
        (["steps=5,,10"], InvalidField, "whole number"),
        (["size=64x64"], UnknownName, "width"),
    ],
)
def test_what_is_no_axis_is_told(texts: list[str], error: type, what: str) -> None:
    with pytest.raises(error, match=what):
        read_axes(texts)


def test_a_cell_compares_and_gives_the_comparison(real: Notebook) -> None:
    # when
    shown = real.run(
        '%%sd --compare sampler="euler,dpmpp_2m" steps=2,3 --seed 7 --cfg 2 -o grid\na red circle'
    )
    # then
    assert isinstance(shown, Comparison) and shown.is_complete
    assert real.names["grid"] is shown and real.names["_sd"] is shown
    assert [axis.name for axis in shown.plan.axes] == ["sampler", "steps"]
    request = shown.at(sampler="dpmpp_2m", steps=3).request
    assert (request.prompt, request.seed, request.cfg_scale) == ("a red circle", 7, 2.0)
    assert real.html[-1] == ""


def test_the_last_picture_is_compared(real: Notebook) -> None:
    # given
    real.run("%%sd --seed 7 --steps 2\na red circle")
    # when
    comparison = real.run("%sd compare cfg=1,4 steps=1,2 --zipped")
    # then
    assert [cell.labels for cell in comparison.plan.cells] == [("1 + 1",), ("4 + 2",)]
    assert {cell.request.prompt for cell in comparison.plan.cells} == {"a red circle"}
    assert {cell.request.seed for cell in comparison.plan.cells} == {7}


def test_functions_of_the_notebook_can_be_compared(real: Notebook) -> None:
    # given
    real.run("seen = []\ndef look(event): seen.append(event.index)")
    # when
    comparison = real.run(
        "%sd a red circle --steps 2 --compare on=none,step:look,denoise:rescaled_cfg"
    )
    # then
    assert comparison.plan.axes[0].labels == ("none", "step:look", "denoise:rescaled_cfg")
    assert real.names["seen"] == [0, 1]
    assert comparison.is_complete and not comparison.errors


def test_an_interrupt_leaves_what_there_is_and_resume_goes_on(real: Notebook) -> None:
    # given: an interrupt in the second step of the longer run
    real.run(
        "interrupts = iter([False, False, True])\n"
        "def stop(event):\n"
        "    if next(interrupts, False): raise KeyboardInterrupt"
    )
    # when
    comparison = real.run("%sd a red circle --on step:stop --seed 7 --compare steps=1,3")
    partly = comparison.is_complete, comparison.results[0] is not None
    resumed = real.run("%sd resume")
    # then
    assert partly == (False, True)
    assert resumed is comparison and comparison.is_complete
    assert real.run("%sd a red circle --steps 1").images


def test_the_grid_is_seen_filling(real: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    # given: no waiting between two updates
    monkeypatch.setattr("sdnb.magics.live.INTERVAL", 0.0)
    monkeypatch.setattr("sdnb.labs.preview_budget.SHARE", 1000.0)
    # when
    real.run("%sd a red circle --seed 7 --compare steps=1,4 sampler=euler,heun")
    # then
    grids = [html for html in real.html if "<table" in html]
    ready = [int(re.search(r"(\d) of 4 cells", html)[1]) for html in grids]
    assert ready == sorted(ready) and len(set(ready)) > 1
    assert all('alt="steps 4, heun"' in html for html in grids)
    assert all('role="progressbar"' in html for html in grids)


def test_the_last_comparison_is_told_in_numbers(
    real: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(solution, "STEPS", 8)
    monkeypatch.setattr(solution, "CHECK_STEPS", 4)
    real.run("%sd a red circle --seed 7 --cfg 1 --compare sampler=euler,heun steps=2,4")
    # when
    scores = real.run("%sd scores")
    best = real.run("%sd scores --best 4")
    plot = real.run("%sd scores --plot")
    # then
    assert [row.name for row in scores][:2] == ["euler, steps 2", "euler, steps 4"]
    assert best.score.evaluations <= 4
    assert "error" in plot.alt.lower() or "distance" in plot.alt.lower()


def test_what_was_compared_last_is_what_is_saved(real: Notebook, tmp_path: Path) -> None:
    # given
    real.run("%%sd --seed 7 --steps 1\na red circle")
    comparison = real.run("%sd compare steps=1,2")
    # when
    page = real.run(f"%sd save {tmp_path}")
    real.run("%%sd --seed 7 --steps 1\na red circle")
    later = real.run(f"%sd save {tmp_path}")
    # then
    assert "comparison.png" in repr(page) and "sdnb-7.png" in repr(later)
    assert comparison is not real.names["_sd"]
    assert real.run("%sd resume") is comparison is real.names["_sd"]


def test_the_last_comparison_is_a_flip_book(real: Notebook) -> None:
    # given
    real.run("%sd a red circle --seed 7 --compare steps=2,4")
    # when
    book = real.run("%sd flip")
    # then: one slider for the steps, one for the moment
    assert len(book.layout.sliders) == 2


def test_a_sweep_asks_a_cluster_for_the_same_cells(
    real: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a cluster that is this process
    asked = []

    def workers(pipe, client, keep):
        asked.append(client)
        return Lockstep(pipe, keep)

    monkeypatch.setattr("sdnb.comparison.sweep.Workers", workers)
    real.run("%%sd --seed 7 --steps 2\na red circle")
    # when
    comparison = real.run("%sd sweep cfg=1,4 --dask tcp://127.0.0.1:8786")
    # then
    assert asked == ["tcp://127.0.0.1:8786"]
    assert comparison.is_complete and len(comparison.results) == 2


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("%sd compare", "what to compare"),
        ("%sd compare steps=2 --zip", "--zipped"),
        ("%sd compare sampler=hoin,ddim", "heun"),
        ("%sd set --compare steps=2", "set takes flags"),
        ("%sd resume", "nothing was compared"),
        ("%sd resume now", "takes flags only"),
        ("%sd scores", "nothing was compared"),
        ("%sd a cat --compare steps=1,2 --after fixed", "next seed"),
        ("%sd sweep --zipped", "what to compare"),
    ],
)
def test_mistakes_are_told(notebook: Notebook, line: str, what: str) -> None:
    with pytest.raises((InvalidField, UnknownName), match=what):
        notebook.run(line)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--compare sa", ["sampler="]),
        ("--compare sampler=heu", ["sampler=heun", "sampler=heunpp2"]),
        ("--compare sampler=ddim,plm", ["sampler=ddim,plms"]),
        ("--compare sampler=ddim ste", ["steps="]),
        ("--compare sampler=ddim --se", ["--seed"]),
        ("compare sched", ["schedule="]),
        ("compare sampler=ddim --z", ["--zipped"]),
        ("sweep sampler=ddim --d", ["--dask"]),
        ("scores --b", ["--best"]),
    ],
)
def test_axes_are_completed(typed: str, expected: list[str]) -> None:
    assert proposals(typed, {}) == expected
