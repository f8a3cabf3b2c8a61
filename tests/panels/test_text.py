"""The view of a text without a browser: its fields, its tokens, plots, and what stays of them."""

import json
import re
from base64 import b64decode

import pytest

from sdnb.i18n import set_language
from sdnb.labs.text import LENSES, TextLab
from sdnb.panels.text import FIELDS, TextPanel
from sdnb.panels.tokens import FEW
from sdnb.request import GenerationRequest

PATIENCE = 60.0
TEXT = "a <b>red</b> (circle:1.5)"


@pytest.fixture(scope="module")
def panel(pipe):
    panel = TextPanel(TextLab(pipe, GenerationRequest(prompt=TEXT)))
    assert panel.lab.wait(PATIENCE)
    return panel


@pytest.fixture(autouse=True)
def begun(panel):
    """Every test begins with the same text, looked at through the same lens."""
    said(panel, text=TEXT)
    hear(panel, do="nearest")
    said(panel, word="red")


def hear(panel, **message):
    panel._hear(message, [])
    assert panel.lab.wait(PATIENCE)


def said(panel, **typed):
    for name, value in typed.items():
        hear(panel, do="type", name=name, value=value)


def fields(panel):
    return [field["name"] for field in panel.surface.fields[0]["fields"]]


def test_words_stand_between_the_marks_with_their_letters_and_tokens(panel):
    # when
    said(panel, text="a (blue:1.5) catamaran")

    # then
    view = panel.surface.views[0]
    (chunk,) = view["chunks"]
    start, _, blue, boat, end, padding = chunk["blocks"]
    assert view["label"].startswith("22 characters · 3 words")
    assert (start["word"], end["word"]) == ("start", "end")
    assert blue["characters"] == list("blue")
    assert [token["text"] for token in blue["tokens"]] == ["blue</w>"]
    assert blue["tokens"][0]["id"].endswith(" × 1.5")
    assert len(boat["tokens"]) > 1 and boat["tokens"][-1]["text"].endswith("</w>")
    assert chunk["places"] == 77
    assert padding["word"] == f"{75 - chunk['filled']} × padding"
    assert panel.surface.notes["text"]["marked"] == ("catamaran",)


def test_a_long_text_goes_on_in_a_second_chunk(panel):
    said(panel, text="cat " * 80)
    chunks = panel.surface.views[0]["chunks"]
    assert [chunk["filled"] for chunk in chunks] == [75, 5]
    assert [chunk["label"] for chunk in chunks] == ["Chunk 1 of 2", "Chunk 2 of 2"]
    assert panel.surface.notes["text"]["room"] == 150
    said(panel, text="cat " * 700)
    assert len(panel.surface.views[0]["chunks"]) == FEW
    first = "What follows is of the first chunk."
    assert panel.surface.views[0]["more"] == f"Only the first {FEW} chunks are drawn. {first}"


@pytest.mark.parametrize("lens", LENSES)
def test_each_lens_has_its_fields_and_its_plots_with_their_words(panel, lens):
    # when
    hear(panel, do=lens)

    # then: one thing to choose among is no choice
    assert fields(panel)[:2] == ["text", "syntax"]
    assert set(fields(panel)[2:]) == {*FIELDS[lens]} - {"method"}
    pressed = {each["do"]: each["pressed"] for each in panel.surface.actions}
    assert [name for name, is_on in pressed.items() if is_on == "true"] == [lens]
    _, *plots = panel.surface.views
    assert plots and all(plot["name"].startswith(lens) and plot["alt"] for plot in plots)
    svg = b64decode(plots[0]["source"].partition("base64,")[2]).decode()
    assert svg.startswith("<svg") and "<b>" not in svg


def test_what_is_wrong_stands_beside_its_field_and_the_plot_stays(panel):
    # given
    before = panel.surface.views[1:]

    # when
    said(panel, word=" ")

    # then
    assert list(panel.surface.errors) == ["word"]
    assert panel.surface.views[1:] == before
    assert panel.surface.status["alert"] == ""
    said(panel, word="blue")
    assert panel.surface.errors == {}
    assert panel.surface.views[1:] != before


def test_words_that_nobody_taught_are_marked_in_every_field(panel):
    said(panel, word="catamaran")
    assert panel.surface.notes["word"]["marked"] == ("catamaran",)
    hear(panel, do="sum")
    said(panel, sum="red king - red")
    assert panel.surface.notes["sum"]["marked"] == ("king",)
    assert panel.surface.errors == {}


def test_words_are_pressed_to_be_weighed(panel):
    # given
    said(panel, text="a large blue house")
    hear(panel, do="weight")
    assert panel.surface.values["weighed"] == [
        *(("a", False), ("large", False), ("blue", False), ("house", True))
    ]

    # when
    said(panel, weighed=[["blue", True], ["house", False]], weight="0.5")

    # then
    assert panel.surface.notes["weight"]["text"] == "a large (blue:0.5) house"


@pytest.mark.parametrize(
    "message",
    [
        {"do": "type", "name": "encoder", "value": "first"},
        {"do": "type", "name": "syntax", "value": "esperanto"},
        {"do": "type", "name": "weighed", "value": [1]},
        {"do": "type", "name": "seen", "value": "x"},
        {"do": "type", "name": "text"},
        {"do": ["vectors"]},
        {"do": "take"},
    ],
)
def test_a_message_that_no_page_of_ours_sends_breaks_nothing(panel, message):
    before = dict(panel.surface.values)
    hear(panel, **message)
    assert panel.surface.values == before
    hear(panel, do="nearest")
    assert panel.surface.errors == {}


def test_a_result_is_looked_at_by_its_prompt(panel):
    panel.take(GenerationRequest(prompt="a green tree", negative_prompt="snow"))
    assert panel.lab.wait(PATIENCE)
    assert panel.surface.values["text"] == "a green tree"
    assert panel.surface.values["other"] == "snow"


def test_what_was_there_stays_as_html_with_its_text(panel, tmp_path):
    # when
    kept = panel.kept_html
    page = panel.to_html(tmp_path / "page.html").read_text()

    # then
    assert "<img alt=" in kept and "red&lt;/w&gt;" in kept and "Tokens nearest to" in kept
    assert "<b>red</b>" not in kept + page
    assert len(kept) < 60_000
    state = json.loads(re.search(r"page\(document.getElementById\(\"stage\"\), (.*)\);", page)[1])
    assert state["views"] == json.loads(json.dumps(panel.surface.views))
    assert not re.search(r"(src|href)=\"https?:", page)


def test_another_language_is_spoken_at_once(panel):
    set_language("es")
    title, views = panel.surface.texts["title"], json.dumps(panel.surface.views)
    set_language("en")
    assert title == "Un texto se convierte en números"
    assert "caracteres" in views and "relleno" in views
