"""The view of a training without a browser: plain values, messages."""

import json
import re
from array import array

import pytest

from sdnb import i18n
from sdnb.i18n import set_language
from sdnb.labs import training
from sdnb.labs.training import Training
from sdnb.labs.training_form import FIELDS, SUBJECTS
from sdnb.panels.training import TrainingPanel

PATIENCE = 60.0


@pytest.fixture(scope="module", autouse=True)
def english():
    before, i18n._choice = i18n._choice, i18n._Choice()
    set_language("en")
    yield
    i18n._choice = before


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
    assert panel.surface.status["headline"] == "Points in the plane: finished, 30 steps"


def test_a_longer_training_can_be_resumed_by_the_same_button(panel):
    assert "resume" not in panel.surface.status["enabled"]
    hear(panel, do="type", name="length", value="31")
    assert "resume" in panel.surface.status["enabled"]
    assert panel.surface.status["renamed"]["pause"]["label"] == "Resume"
    set_language("es")
    assert {each["label"] for each in panel.surface.status["renamed"].values()} == {"Continuar"}
    set_language("en")
    hear(panel, do="type", name="length", value="30")


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
    hear(panel, do="type", name="file", value=str(tmp_path / "none.pt"))
    hear(panel, do="restore")
    panel.lab._worker.wait(PATIENCE)
    assert "no checkpoint" in panel.surface.status["alert"]
    assert panel.surface.status["phase"] == "finished"


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
