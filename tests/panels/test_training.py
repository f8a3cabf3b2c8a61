"""The view of a training without a browser: plain values, messages."""

import json
import re
from array import array
from dataclasses import replace
from threading import Event, Thread, Timer

import pytest
import torch

from sdnb.i18n import set_language
from sdnb.labs import training
from sdnb.labs.held_training import Measured
from sdnb.labs.training import Training
from sdnb.labs.training_form import FIELDS, SUBJECTS
from sdnb.panels.trained import UNIT, clouds_data, errors_view
from sdnb.panels.training import TrainingPanel
from sdnb.plots.plane import REACH

PATIENCE = 60.0


@pytest.fixture(scope="module")
def panel(pipe):
    panel = TrainingPanel(Training(pipe))
    for name, value in (("length", "30"), ("every", "15"), ("batch", "32")):
        hear(panel, do="type", name=name, value=value)
    hear(panel, do="start")
    assert panel.lab.wait(PATIENCE)
    return panel


def hear(panel, **message):
    panel._hear(message, [])


def test_an_empty_panel_says_what_it_does_and_can_start(pipe):
    panel = TrainingPanel(Training(pipe))
    assert panel.surface.status["enabled"][:2] == ["start", "restore"]
    assert not {"save", "copy", "pause", "stop", "resume"} & set(panel.surface.status["enabled"])
    assert "trains while you look" in panel.surface.status["said"]
    assert "run the cell again" in panel.kept_html


def test_a_training_is_seen_from_all_sides(panel):
    samples, loss, errors = panel.surface.views
    assert samples["moments"] == ["step 0", "step 15", "step 30"]
    points = array("h", panel.surface.data)
    assert len(points) == 2 * samples["count"] * (1 + len(samples["moments"]) * 2)
    assert loss["lines"][0]["xs"] == list(range(1, 31))
    assert [line["label"] for line in errors["lines"]] == [
        *("EMA (average)", "Weights", "The best there is")
    ]
    assert panel.surface.status["headline"] == "Points: finished, 30 steps"


def test_a_longer_training_can_be_resumed_by_the_same_button(panel):
    assert "resume" not in panel.surface.status["enabled"]
    hear(panel, do="type", name="length", value="31")
    assert "resume" in panel.surface.status["enabled"]
    assert panel.surface.status["renamed"]["pause"]["label"] == "Resume"
    set_language("es")
    assert {each["label"] for each in panel.surface.status["renamed"].values()} == {"Continuar"}
    set_language("en")
    hear(panel, do="type", name="length", value="30")


def test_the_newest_is_shown_last_whoever_shows_it(pipe, monkeypatch):
    # given a thread that has read what there was, and is slow to show it
    panel = TrainingPanel(Training(pipe))
    has_read, go_on, headline = Event(), Event(), panel._headline

    def slow():
        said = headline()
        has_read.set()
        go_on.wait(PATIENCE)
        return said

    monkeypatch.setattr(panel, "_headline", slow)
    other = Thread(target=panel._show_status)
    other.start()
    assert has_read.wait(PATIENCE)

    # when
    monkeypatch.setattr(panel, "_headline", headline)
    Timer(0.1, go_on.set).start()
    panel.lab.phase = "stopped"
    other.join(PATIENCE)

    # then
    assert panel.surface.status["phase"] == "stopped"


def test_while_it_runs_it_says_what_is_left_and_then_what_it_took(panel):
    panel.lab.phase = "running"
    running = panel.surface.status["figures"]
    panel.lab.phase = "finished"
    finished = panel.surface.status["figures"]
    assert re.fullmatch(r"loss \S+ · 0 s left", running)
    assert re.fullmatch(r"loss \S+ · in \d+\.\d s", finished)


def test_what_was_there_says_nothing_of_what_is_prepared(panel):
    panel.lab.phase = "preparing"
    status = panel.surface.status
    assert (status["figures"], status["step"]) == ("", 0)
    panel.lab.phase = "finished"
    assert panel.surface.status["step"] == 30


def test_each_subject_has_fields_of_its_own(pipe):
    panel = TrainingPanel(Training(pipe))
    for subject in SUBJECTS:
        hear(panel, do="type", name="subject", value=subject)
        (group,) = panel.surface.fields
        assert [field["name"] for field in group["fields"]] == list(FIELDS[subject])
        assert panel.surface.errors == {}


@pytest.mark.parametrize(
    "message",
    [
        {"do": "type", "name": "lr"},
        {"do": "type", "name": "lr", "value": [1]},
        {"do": "type", "name": "errors", "value": "x"},
        {"do": "type", "name": ["lr"], "value": "1"},
        {"do": "use"},
        {"do": "__class__"},
        {},
    ],
)
def test_a_message_that_no_page_of_ours_sends_breaks_nothing(panel, message):
    # given
    values, step = dict(panel.surface.values), panel.lab.state.step

    # when
    hear(panel, **message)

    # then
    assert panel.surface.values == values
    hear(panel, do="pause")
    assert panel.lab.wait(PATIENCE)
    assert panel.lab.state.step == step
    assert panel.surface.status["phase"] == "finished"


def test_what_is_wrong_stands_beside_its_field_and_nothing_starts(panel):
    hear(panel, do="type", name="lr", value="fast")
    assert list(panel.surface.errors) == ["lr"]
    assert "start" not in panel.surface.status["enabled"]
    hear(panel, do="type", name="lr", value="0.006")
    assert panel.surface.errors == {}


def test_what_was_saved_and_what_failed_is_said(panel, tmp_path):
    hear(panel, do="type", name="file", value=str(tmp_path / "mine.pt"))
    hear(panel, do="save")
    assert panel.lab.wait(PATIENCE)
    assert "mine.pt" in panel.surface.status["said"]
    assert "takes time" in panel.surface.notes["every"]["text"]
    hear(panel, do="type", name="file", value=str(tmp_path / "none.pt"))
    hear(panel, do="restore")
    panel.lab._worker.wait(PATIENCE)
    assert "no checkpoint" in panel.surface.status["alert"]
    assert panel.surface.status["phase"] == "finished"


def test_what_was_gone_back_to_is_as_far_as_it_was_saved(pipe, tmp_path):
    lab = Training(pipe)
    shown = TrainingPanel(lab)
    lab.start(length=3, batch=8, every=3, file=str(tmp_path / "mine.pt"))
    assert lab.wait(PATIENCE)
    lab.save()
    lab.restore(length=6)
    assert lab.wait(PATIENCE)
    assert (shown.surface.status["step"], shown.surface.status["total"]) == (3, 6)


def test_points_and_errors_that_are_no_numbers_are_left_out(panel):
    # given
    nan, inf = float("nan"), float("inf")
    sample = replace(panel.lab.samples[0], averaged=torch.tensor([[nan, 0.5]] * 200))
    curves = {"averaged": torch.tensor([1.0, nan, inf]), "own": torch.full((3,), nan)}

    # when
    data = array("h", clouds_data((sample,), panel.lab.subject.shown))
    view = errors_view(Measured(step=1, curves=curves), (50.0, 150.0, 250.0))

    # then
    first, second = data[400:402]
    assert first > UNIT * REACH and second == UNIT // 2
    assert [line["xs"] for line in view["lines"]] == [[50.0], []]
    assert json.loads(json.dumps(view, allow_nan=False))["y"]["from"] == 0.8


def test_a_long_training_is_not_lost_by_a_click(panel, monkeypatch):
    # given
    monkeypatch.setattr(training, "LONG", 0.0)
    monkeypatch.setattr(panel.lab, "_saved_step", 0)
    step, views = panel.lab.state.step, len(panel.surface.views)

    # when
    hear(panel, do="start")
    question = panel.surface.views[-1]
    hear(panel, do="keep")

    # then
    assert [answer["do"] for answer in question["answers"]] == ["keep", "really_start"]
    assert len(panel.surface.views) == views
    assert (panel.lab.phase, panel.lab.state.step) == ("finished", step)


def test_what_was_trained_is_copied_as_code(panel):
    code = panel.surface.clips["python"]
    assert "lab = Training(sdnb.load('tiny'))" in code
    assert "length=30.0" in code
    compile(code, "copied", "exec")


def test_what_was_there_stays_as_html_with_its_text(panel, tmp_path):
    # when
    kept = panel.kept_html
    page = panel.to_html(tmp_path / "page.html").read_text()

    # then
    assert kept.count("<img alt=") == 3
    assert "finished, 30 steps" in kept
    assert len(kept) < 150_000
    state = json.loads(re.search(r"page\(document.getElementById\(\"stage\"\), (.*)\);", page)[1])
    assert state["views"] == json.loads(json.dumps(panel.surface.views))
    assert not re.search(r"(src|href)=\"https?:", page)


def test_another_language_is_spoken_at_once(panel):
    set_language("es")
    said = (panel.surface.texts["title"], panel.surface.views[1]["title"])
    set_language("en")
    assert said == ("Entrenamiento", "Pérdida, paso a paso")
