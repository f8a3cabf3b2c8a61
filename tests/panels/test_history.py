"""The history's view without a browser: cards, one entry, and a question before it is gone."""

import pytest

from sdnb import i18n
from sdnb.i18n import set_language
from sdnb.labs.history import HistoryLab
from sdnb.panels.history import HistoryPanel
from sdnb.records.history import History
from tests.labs.test_history import result


@pytest.fixture
def panel(tmp_path, monkeypatch):
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    set_language("en")
    history = History(tmp_path)
    history.add(result(7, "a <b>red</b> circle"))
    history.add(result(8, "a blue house", "heun"))
    panel = HistoryPanel(HistoryLab(history))
    yield panel
    panel.surface.close()


def view(panel, name):
    return next((each for each in panel.surface.views if each["name"] == name), None)


def labels(panel):
    return [card["label"] for card in view(panel, "gallery")["entries"]]


def test_what_is_typed_narrows_the_page(panel):
    # when
    everything = labels(panel)
    panel._hear({"do": "type", "name": "text", "value": "house"}, [])
    house = labels(panel)
    panel._hear({"do": "type", "name": "sampler", "value": "euler"}, [])

    # then
    assert everything == ["#2: a blue house", "#1: a <b>red</b> circle"]
    assert house == ["#2: a blue house"]
    assert view(panel, "gallery")["empty"] == "Nothing was found."
    assert panel.surface.values == {"text": "house", "sampler": "euler"}


def test_the_entry_that_is_looked_at_stands_beside_the_gallery(panel):
    panel._hear({"do": "choose", "number": 2}, [])
    assert view(panel, "gallery")["is_half"]
    assert view(panel, "entry")["is_half"]


def test_a_chosen_entry_tells_how_it_was_made(panel):
    panel._hear({"do": "choose", "number": 2}, [])
    facts = dict(view(panel, "entry")["facts"])
    assert (facts["Seed"], facts["Sampler"], facts["Size"]) == ("8", "heun", "16 × 16")
    assert view(panel, "entry")["source"].startswith("data:image/jpeg")
    assert panel.surface.clips["cell"].startswith("%%sd --seed 8")
    assert {"recall", "copy", "pin", "ask"} <= set(panel.surface.status["enabled"])


def test_it_is_recalled_where_panels_open_each_other(panel):
    asked = []
    panel.on_open(lambda name, what: asked.append((name, what)) or panel)
    panel._hear({"do": "choose", "number": 2}, [])
    panel._hear({"do": "recall"}, [])
    assert asked == [("studio", panel.lab.chosen.request)]


def test_it_is_deleted_only_after_a_question(panel):
    # when
    panel._hear({"do": "choose", "number": 2}, [])
    panel._hear({"do": "ask"}, [])
    asked = view(panel, "question")
    panel._hear({"do": "no"}, [])
    kept = labels(panel), view(panel, "question")
    panel._hear({"do": "ask"}, [])
    panel._hear({"do": "delete"}, [])

    # then
    assert asked["text"].startswith("Delete #2 for good")
    assert asked["answers"][0]["do"] == "no"
    assert kept == (["#2: a blue house", "#1: a <b>red</b> circle"], None)
    assert labels(panel) == ["#1: a <b>red</b> circle"]
    assert view(panel, "question") is None


def test_a_delete_that_nobody_was_asked_for_does_nothing(panel):
    panel._hear({"do": "choose", "number": 2}, [])
    panel._hear({"do": "delete"}, [])
    assert len(labels(panel)) == 2


def test_a_picture_whose_file_is_gone_shows_its_thumbnail(panel):
    panel.lab.entries[0].pictures[0].file.unlink()
    panel._hear({"do": "choose", "number": 2}, [])
    assert view(panel, "entry")["source"].startswith("data:image/webp")


def test_the_page_stays_as_pictures_with_texts(panel, tmp_path):
    kept = panel.kept_html
    assert kept.count("<img alt=") == 2
    assert "<b>red" not in kept
    page = panel.to_html(tmp_path / "page.html").read_text()
    assert "<b>red" not in page


def test_pinning_is_seen(panel):
    panel._hear({"do": "choose", "number": 1}, [])
    panel._hear({"do": "pin"}, [])
    assert [card["badge"] for card in view(panel, "gallery")["entries"]] == ["", "pinned"]
    set_language("es")
    assert view(panel, "gallery")["entries"][1]["badge"] == "fijada"
