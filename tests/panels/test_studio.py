"""The studio's view without a browser: plain values out, messages in."""

import ast
import json
import re
from pathlib import Path
from threading import Event, Thread

import pytest
from PIL import Image

from sdnb import i18n
from sdnb.i18n import LANGUAGES, set_language, words
from sdnb.labs.studio import Studio
from sdnb.panels.studio import StudioPanel
from sdnb.panels.unseen import ROOM
from sdnb.picture import Picture

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
SMALL = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 4, "seed": 7}


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    set_language("en")


@pytest.fixture
def panel(pipe):
    panel = StudioPanel(Studio(pipe))
    yield panel
    panel.lab.stop()
    panel.lab._worker.wait(PATIENCE)
    panel.surface.close()


def drawn(panel):
    panel.lab.generate(**SMALL)
    assert panel.lab.wait(PATIENCE)
    return panel.surface


def test_what_the_page_says_is_typed_and_done(panel):
    # when
    for name, value in SMALL.items():
        panel._hear({"do": "type", "name": name, "value": str(value)}, [])
    panel._hear({"do": "generate"}, [])
    assert panel.lab.wait(PATIENCE)

    # then
    assert panel.lab.result.request.steps == 4
    assert panel.surface.status["phase"] == "finished"
    assert panel.surface.about["alt"] == "Generated picture: a red circle"
    assert panel.surface.film["count"] == 4
    assert panel.surface.film["reach"] == 3


@pytest.mark.parametrize(
    "message",
    [
        {"do": "type", "name": "image", "value": "no picture"},
        {"do": "type", "name": "loras", "value": [{}]},
        {"do": "type", "name": "after", "value": {}},
        {"do": "type", "name": "checkpoint", "value": None},
        {"do": "picture", "name": "image"},
        {"do": "rewind", "step": None},
        {"do": "branch"},
    ],
)
def test_a_message_that_no_page_of_ours_sends_breaks_nothing(panel, message):
    # given
    before = panel.surface.values

    # when
    panel._hear(message, [])

    # then: nothing is typed by it, and the next picture is drawn
    assert panel.surface.values == before
    panel.lab.form.type(SMALL)
    panel._hear({"do": "generate"}, [])
    assert panel.lab.wait(PATIENCE)
    assert panel.surface.status["phase"] == "finished"
    assert panel.surface.status["alert"] == ""


def test_two_threads_show_their_news_one_after_the_other(panel, monkeypatch):
    # given: the page takes its time with the first news
    said, first, is_let_go = [], Event(), Event()

    def slow(key=None, **_):
        said.append(sorted(key))
        if "notes" in key:
            first.set()
            is_let_go.wait(0.3)
        said.append("sent")

    monkeypatch.setattr(panel.surface, "send_state", slow)
    one = Thread(target=panel.surface.show, kwargs={"notes": {"a": 1}})

    # when
    one.start()
    assert first.wait(PATIENCE)
    panel.surface.show(values={"b": 2})
    one.join(PATIENCE)

    # then
    assert said == [["notes"], "sent", ["values"], "sent"]


def test_a_message_that_nobody_knows_does_nothing(panel):
    panel._hear({"do": "__class__"}, [])
    panel._hear({"do": "type", "name": "errors", "value": "x"}, [])
    panel._hear({}, [])
    assert panel.lab.form.errors == {}


def test_bad_input_is_said_beside_its_field(panel):
    panel._hear({"do": "type", "name": "width", "value": "100"}, [])
    assert list(panel.surface.errors) == ["width"]
    assert "multiple of 8" in panel.surface.errors["width"]
    assert panel.surface.values["width"] == "100"


def test_tokens_are_counted_and_unknown_words_named(panel):
    panel._hear({"do": "type", "name": "prompt", "value": "a red zebra"}, [])
    note = panel.surface.notes["prompt"]
    assert note["room"] == 75
    assert note["marked"] == ("zebra",)
    assert note["count"] >= 3


def test_what_can_be_done_follows_from_the_phase(panel):
    # given
    empty = set(panel.surface.status["enabled"])

    # when
    panel.lab.step(**SMALL)
    assert panel.lab.wait(PATIENCE)
    held = set(panel.surface.status["enabled"])
    panel.lab.resume()
    assert panel.lab.wait(PATIENCE)

    # then
    assert empty - {""} == {"generate", "step"}
    assert held - {""} == {"generate", "step", "resume", "stop", "step_back"}
    assert {"copy", "save", "use"} <= set(panel.surface.status["enabled"])


def test_an_uploaded_picture_is_started_from_and_another_file_is_an_error(panel, tmp_path):
    # given
    picture = Picture.of(Image.new("RGB", (32, 32), "red"))

    # when
    panel._hear({"do": "picture", "name": "image"}, [memoryview(b"no picture")])
    refused = dict(panel.surface.errors)
    panel._hear({"do": "picture", "name": "image"}, [memoryview(picture.png)])

    # then
    assert list(refused) == ["image"]
    assert panel.surface.errors == {}
    assert panel.lab.form.image == picture
    assert panel.surface.values["image"].startswith("data:image/jpeg;base64,")


def test_an_input_picture_is_made_small_once(panel, monkeypatch):
    # given
    opened = []
    monkeypatch.setattr(Picture, "open", lambda _: opened.append(1) or Image.new("RGB", (8, 8)))
    panel.lab.form.image = Picture.of(Image.new("RGB", (32, 32), "teal"))

    # when
    for prompt in ("a", "a r", "a red"):
        panel._hear({"do": "type", "name": "prompt", "value": prompt}, [])

    # then
    assert len(opened) == 1


def test_a_closed_panel_hears_nothing(panel):
    panel.close()
    panel._hear({"do": "generate"}, [])
    set_language("es")
    assert panel.lab.phase == "idle"


def test_a_page_that_draws_nothing_is_sent_no_more_previews(panel):
    # given
    sent = []
    panel.surface.observe(lambda change: sent.append(change["new"]), "about")

    # when: nobody says that a picture was drawn
    panel.lab.generate(**{**SMALL, "steps": 60})
    assert panel.lab.wait(PATIENCE)

    # then: the last one is sent all the same
    assert len(sent) <= ROOM + 3
    assert sent[-1]["alt"].startswith("Generated picture")


def test_previews_go_on_as_long_as_the_page_draws_them(panel):
    # given
    phases = []

    def draw(_):
        phases.append(panel.lab.phase)
        panel._hear({"do": "drawn"}, [])

    panel.surface.observe(draw, "picture")

    # when
    seen = []
    for _ in range(4):
        phases.clear()
        panel.lab.generate(**{**SMALL, "steps": 20})
        assert panel.lab.wait(PATIENCE)
        seen.append(phases.count("running"))

    # then
    assert min(seen) > 0
    assert panel._unseen._count <= ROOM


def test_a_page_that_is_opened_again_is_sent_previews_again(panel):
    # given: a page that was closed before it drew what it was sent
    drawn(panel)
    panel.lab.generate(**{**SMALL, "steps": 40})
    assert panel.lab.wait(PATIENCE)

    # when
    panel._hear({"do": "mounted"}, [])

    # then
    assert panel._unseen.has_room


def test_what_stays_is_left_before_the_page_hears_of_the_end(panel):
    # given: who saves the notebook as soon as a run has ended
    left = []
    panel.on_leave(lambda: left.append((panel.surface.status["phase"], panel.kept())))

    # when
    drawn(panel)

    # then: the picture is in it
    assert [phase for phase, kept in left if "<img" in kept] == ["running"]
    assert panel.surface.status["phase"] == "finished"


def test_the_picture_stays_as_html_with_its_text(panel):
    # given
    empty = panel.kept_html

    # when
    drawn(panel)

    # then
    assert "run the cell again" in empty
    kept = panel.kept_html
    assert re.search(r'<img alt="Generated picture: a red circle" src="data:image/jpeg', kept)
    assert "seed 7" in kept
    assert len(kept) < 100_000


def test_what_the_prompt_says_is_text_and_no_markup(panel, tmp_path):
    panel.lab.generate(**{**SMALL, "prompt": "<script>alert(1)</script>"})
    assert panel.lab.wait(PATIENCE)
    assert "<script>alert" not in panel.kept_html
    page = panel.to_html(tmp_path / "page.html").read_text()
    assert "<script>alert" not in page


def test_a_page_without_a_kernel_holds_picture_film_and_script(panel, tmp_path):
    # given
    drawn(panel)

    # when
    path = panel.to_html(tmp_path / "page.html")

    # then
    page = path.read_text()
    state = json.loads(re.search(r"page\(document.getElementById\(\"stage\"\), (.*)\);", page)[1])
    assert state["film"]["count"] == 4
    assert state["picture"] and state["strip"]
    assert "values" not in state
    assert not re.search(r"(src|href)=\"https?:", page)
    assert path.stat().st_size < 300_000


def test_another_language_is_spoken_at_once(panel):
    drawn(panel)
    set_language("es")
    assert panel.surface.texts["title"] == "Estudio"
    assert panel.surface.actions[0]["label"] == "Generar"
    assert panel.surface.status["headline"] == "Terminado"
    assert panel.surface.about["alt"].startswith("Imagen generada")


def test_the_copied_texts_are_of_the_result(panel):
    surface = drawn(panel)
    assert surface.clips["cell"].startswith("%%sd --seed 7")
    assert surface.clips["cell"].endswith("\na red circle")
    assert "pipe.run(" in surface.clips["python"]


def test_saving_is_told(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn(panel)
    panel._hear({"do": "save"}, [])
    assert "sdnb-7.png" in panel.surface.status["said"]
    assert (tmp_path / "pictures/sdnb-7.png").exists()


def test_what_fails_is_shown_and_the_panel_goes_on(panel):
    panel._hear({"do": "save"}, [])
    assert "generate one first" in panel.surface.status["alert"]
    panel.lab.generate(**SMALL)
    assert panel.lab.wait(PATIENCE)


def literal_words(path):
    """Strings of a view that read like words for people."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    return [text for text in texts if re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*[.:]?", text)]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "sdnb/panels").glob("*.py")), ids=lambda path: path.stem
)
def test_views_hold_no_words_of_their_own(path):
    assert [text for text in literal_words(path) if text not in ("JPEG", "RGB")] == []


@pytest.mark.parametrize("path", sorted((ROOT / "sdnb/panels/front").glob("*.js")))
def test_scripts_hold_no_words_of_their_own(path):
    code = re.sub(r"//.*", "", path.read_text())
    strings = re.findall(r'"([^"\n]*)"', code)
    keys = {"Enter", "Escape", "Home", "End"}
    said = [text for text in strings if re.fullmatch(r"[A-Z][a-z]+( [a-z]+)*\.?", text)]
    assert set(said) <= keys


def test_every_word_that_is_asked_for_is_there():
    code = "".join(path.read_text() for path in (ROOT / "sdnb/panels").glob("*.py"))
    asked = set(re.findall(r"tr\(\s*f?\"([a-z]+\.\w+)\"", code))
    for name in LANGUAGES:
        assert asked <= set(words(name))
