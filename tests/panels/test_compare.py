"""The comparison's view without a browser: plain values out, messages in."""

import json
import re

import pytest

from sdnb import i18n
from sdnb.errors import InvalidField
from sdnb.i18n import set_language
from sdnb.labs.compare import CompareLab
from sdnb.panels.compare import ComparePanel
from sdnb.panels.unseen import ROOM

PATIENCE = 60.0
SMALL = {"prompt": "a <b>red</b> circle", "width": 32, "height": 32, "steps": 2, "seed": 7}


@pytest.fixture(scope="module")
def filled(pipe):
    """A panel whose grid is filled; tests leave it as it is."""
    panel = ComparePanel(CompareLab(pipe))
    panel.lab.fill("sampler=euler,heun", "steps=1,2", "cfg=1,3", **SMALL)
    assert panel.lab.wait(PATIENCE)
    yield panel
    panel.surface.close()


@pytest.fixture
def panel(pipe):
    panel = ComparePanel(CompareLab(pipe))
    yield panel
    panel.lab.stop()
    panel.lab._worker.wait(PATIENCE)
    panel.surface.close()


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    set_language("en")


def view(panel, name):
    return next(each for each in panel.surface.views if each["name"] == name)


def test_a_row_is_typed_as_on_the_magics_line_and_refused_beside_it(panel):
    # when
    panel._hear({"do": "type", "name": "axis_0", "value": "sampler euler,hein"}, [])
    panel._hear({"do": "type", "name": "axis_1", "value": "seed"}, [])
    panel._hear({"do": "type", "name": "axis_9", "value": "seed 1"}, [])

    # then
    assert panel.lab.axes == ("sampler=euler,hein", "seed=", "")
    assert list(panel.surface.errors) == ["axis_0"]
    assert "did you mean heun" in panel.surface.errors["axis_0"]
    assert len(panel.surface.errors["axis_0"]) < 200
    assert panel.surface.values["axis_1"] == "seed"


def test_names_are_offered_after_the_last_comma(panel):
    panel._hear({"do": "type", "name": "axis_0", "value": "sampler euler,he"}, [])
    panel._hear({"do": "type", "name": "axis_1", "value": "steps "}, [])
    notes = panel.surface.notes
    assert "euler,heun" in notes["axis_0"]["offered"]
    assert (notes["axis_1"]["offered"], notes["axis_1"]["placeholder"]) == ([], "30")


def test_a_filled_grid_has_its_axes_and_a_picture_for_each_cell(filled):
    cells = view(filled, "cells")
    assert [axis["name"] for axis in cells["axes"]] == ["sampler", "steps", "cfg_scale"]
    assert [cell["state"] for cell in cells["cells"]] == ["finished"] * 8
    assert cells["cells"][-1]["label"] == "heun, steps 2, cfg_scale 3: open in the studio"
    assert cells["frames"]["sizes"] == [(32, 32)] * 8
    assert filled.surface.data[:2] == b"\xff\xd8"  # a JPEG
    assert {"flip", "measure", "save", "copy"} <= set(filled.surface.status["enabled"])


def test_the_copied_texts_are_of_the_grid(filled):
    clips = filled.surface.clips
    line = "%%sd --compare sampler=euler,heun steps=1,2 cfg=1,3 --seed 7"
    assert clips["cell"].startswith(line)
    assert "sdnb.compare(" in clips["python"]


def test_the_grid_stays_as_a_table_with_texts_for_its_pictures(filled):
    kept = filled.kept_html
    assert kept.count("<img alt=") == 8
    assert 'alt="euler, steps 1, cfg_scale 1" src="data:image/jpeg' in kept
    assert "<b>red" not in kept
    assert len(kept) < 100_000


def test_a_page_without_a_kernel_holds_the_grid(filled, tmp_path):
    page = filled.to_html(tmp_path / "page.html").read_text()
    state = json.loads(re.search(r"page\(document.getElementById\(\"stage\"\), (.*)\);", page)[1])
    assert state["views"][0]["kind"] == "cells"
    assert state["data"]
    assert state["status"]["enabled"] == []


def test_the_button_that_stops_and_resumes_speaks_the_language_that_is_set(panel):
    panel.lab.fill("steps=1,2", **SMALL)
    panel.lab.stop()
    panel.lab.wait(PATIENCE)
    set_language("es")
    for phase in ("running", "stopped"):
        panel.lab.phase = phase
        names = {each["do"]: each["label"] for each in panel.surface.status["renamed"].values()}
        assert [*names.values()] == [i18n.tr(f"compare.{each}") for each in names]
        assert set(panel.surface.status["renamed"]) == {"stop", "resume"}


def test_moments_are_said_in_the_language_that_is_set(filled):
    # when
    filled.lab.flip()
    assert filled.lab.wait(PATIENCE)
    english = view(filled, "cells")["moments"]
    set_language("es")
    filled.say()

    # then
    assert english[-1] == "picture"
    assert view(filled, "cells")["moments"][-1] == "imagen"
    assert len(view(filled, "cells")["frames"]["sizes"]) == 8 * len(english)


def test_a_cell_opens_where_panels_open_each_other(filled, pipe):
    # given
    asked, guest = [], ComparePanel(CompareLab(pipe))
    filled.on_open(lambda name, what: asked.append((name, what)) or guest)

    # when
    filled._hear({"do": "open", "cell": 3}, [])
    filled._hear({"do": "open", "cell": 4}, [])

    # then
    assert asked == [("studio", filled.lab.comparison.results[place]) for place in (3, 4)]
    assert filled.surface.guests == [guest.surface.place]
    guest.surface.close()


def test_alone_a_panel_says_that_it_opens_no_other(panel):
    with pytest.raises(InvalidField, match="cannot open"):
        panel.open("studio", None)


def test_a_page_that_draws_nothing_is_sent_no_more_sheets(panel):
    # given
    sent = []
    panel.surface.observe(lambda change: sent.append(change["new"]), "data")

    # when
    panel.lab.fill("steps=20,30", **SMALL)
    assert panel.lab.wait(PATIENCE)

    # then: the last one is sent all the same
    assert len(sent) <= ROOM + 1
    assert view(panel, "cells")["cells"][1]["state"] == "finished"


def test_before_there_is_a_grid_the_panel_says_what_to_do(panel):
    panel._hear({"do": "save"}, [])
    assert "fill a grid first" in panel.surface.status["alert"]
    assert "run the cell again" in panel.kept_html


def test_what_stays_is_left_before_the_page_hears_of_the_end(panel):
    # given: who saves the notebook as soon as a grid is full
    left = []
    panel.on_leave(lambda: left.append((panel.surface.status["phase"], panel.kept())))

    # when
    panel.lab.fill("sampler=euler,heun", **SMALL)
    assert panel.lab.wait(PATIENCE)

    # then: the pictures are in it
    assert [phase for phase, kept in left if "<img" in kept] == ["running"]
    assert panel.surface.status["phase"] == "finished"
