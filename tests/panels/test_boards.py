"""The boards' views without a browser: plain values, messages."""

import json
import re
from io import BytesIO

import pytest
from PIL import Image

from sdnb.i18n import set_language
from sdnb.labs.attention import Attention
from sdnb.labs.forward import Forward
from sdnb.labs.latents import Latents
from sdnb.labs.schedules import Schedules
from sdnb.panels.attention import AttentionPanel
from sdnb.panels.forward import ForwardPanel
from sdnb.panels.latents import LatentsPanel
from sdnb.panels.schedules import SchedulesPanel
from sdnb.picture import Picture

PATIENCE = 60.0
SMALL = {"prompt": "a <b>red</b> circle", "width": 64, "height": 64, "steps": 3, "seed": 7}


@pytest.fixture(scope="module")
def result(pipe):
    return pipe.run(**SMALL, attention=True)


@pytest.fixture(scope="module")
def schedules(pipe, result):
    panel = SchedulesPanel(Schedules(pipe))
    panel.lab.open(result)
    panel.lab.draw()
    assert panel.lab.wait(PATIENCE)
    return panel


@pytest.fixture(scope="module")
def latents(pipe, result):
    panel = LatentsPanel(Latents(pipe))
    panel.lab.open(result)
    assert panel.lab.wait(PATIENCE)
    return panel


@pytest.fixture(scope="module")
def attention(pipe, result):
    panel = AttentionPanel(Attention(pipe))
    panel.lab.open(result)
    assert panel.lab.wait(PATIENCE)
    return panel


@pytest.fixture(scope="module")
def forward(pipe, result):
    panel = ForwardPanel(Forward(pipe))
    panel.lab.count = 3
    panel.lab.open(result)
    assert panel.lab.wait(PATIENCE)
    return panel


@pytest.fixture(params=["schedules", "latents", "attention", "forward"])
def panel(request):
    return request.getfixturevalue(request.param)


def hear(panel, **message):
    panel._hear(message, [])


@pytest.mark.parametrize(
    "message",
    [
        {"do": "look"},
        {"do": "look", "index": "nan"},
        {"do": "type", "name": "prompt"},
        {"do": "type", "name": "prompt", "value": {"a": [1]}},
        {"do": "type", "name": "steps", "value": [[]]},
        {"do": "type", "name": "sampler", "value": {}},
        {"do": "type", "name": "image", "value": "no picture"},
        {"do": "picture", "name": "mask"},
        {"do": "picture"},
        {"do": "levels", "levels": [{}, None]},
        {"do": "type", "name": "words", "value": [1]},
        {"do": "type", "name": "chosen", "value": [["a", 1, 2]]},
        {"do": ["draw"]},
    ],
)
def test_a_message_that_no_page_of_ours_sends_breaks_nothing(panel, message):
    # given
    before = dict(panel.surface.values)

    # when
    hear(panel, **message)

    # then: nothing is typed by it, and the panel goes on
    assert panel.surface.values == before
    assert panel.lab.errors == {}
    hear(panel, do="stop")
    assert panel.lab.wait(PATIENCE)
    assert panel.surface.status["phase"] == "finished"


def test_an_empty_panel_has_its_fields_and_can_draw(pipe):
    for panel in (
        SchedulesPanel(Schedules(pipe)),
        LatentsPanel(Latents(pipe)),
        AttentionPanel(Attention(pipe)),
        ForwardPanel(Forward(pipe)),
    ):
        fields = [field["name"] for field in panel.surface.fields[0]["fields"]]
        assert {"prompt", "steps", "seed"} <= set(fields)
        assert "draw" in panel.surface.status["enabled"]
        assert "run the cell again" in panel.kept_html


def test_what_the_page_says_is_typed_and_what_is_wrong_stands_beside_it(panel):
    hear(panel, do="type", name="cfg_scale", value="much")
    assert list(panel.surface.errors) == ["cfg_scale"]
    assert panel.surface.values["cfg_scale"] == "much"
    hear(panel, do="type", name="cfg_scale", value="4")
    assert panel.surface.errors == {}


def test_a_message_that_nobody_knows_does_nothing(panel):
    hear(panel, do="__class__")
    hear(panel, do="type", name="errors", value="x")
    hear(panel)
    assert panel.surface.errors == {}


def test_the_maps_of_a_view_are_as_many_bytes_as_it_says(latents, attention, forward):
    for panel in (latents, attention, forward):
        view = panel.surface.views[-1]
        tiles = sum(len(row["alts"]) for row in view["rows"])
        assert len(panel.surface.data) == tiles * view["frames"] * view["width"] * view["height"]
        assert all(len(row["notes"]) == view["frames"] for row in view["rows"])


def test_frames_are_looked_at_closer(latents):
    sent = []
    latents.surface.send = lambda message, buffers: sent.append((message, buffers))
    hear(latents, do="look", index=0)
    assert latents.lab.wait(PATIENCE)
    ((message, (jpeg,)),) = sent
    assert message == {"do": "closeup", "index": 0}
    assert jpeg.startswith(b"\xff\xd8")


def test_words_are_pressed_and_steps_are_laid_together(attention):
    # given
    words = attention.surface.values["words"]
    assert ("red", True) in words
    assert attention.surface.views[0]["is_together"]

    # when
    pressed = [[word, word == "red"] for word, _ in words]
    hear(attention, do="type", name="words", value=pressed)
    hear(attention, do="type", name="together", value=False)

    # then
    (view,) = attention.surface.views
    assert [row["label"] for row in view["rows"]] == ["red"]
    assert not view["is_together"]
    hear(attention, do="type", name="words", value=[[word, True] for word, _ in words])


def test_levels_are_drawn_and_typed(schedules):
    # when
    hear(schedules, do="levels", levels=[9.5, 3, 0.5])
    drawn = schedules.surface.values["levels"]
    hear(schedules, do="type", name="levels", value="1, 2")

    # then
    assert drawn == "9.5, 3, 0.5"
    assert schedules.surface.values["levels"] == "1, 2"
    assert "do not fall" in schedules.surface.errors["levels"]
    assert schedules.surface.views[0]["levels"] == [9.5, 3.0, 0.5]
    hear(schedules, do="reference")
    assert schedules.surface.errors == {}


def test_what_was_sampled_stands_side_by_side(schedules):
    pictures = schedules.surface.views[1]["pictures"]
    assert [each["label"] for each in pictures] == [
        "Your levels",
        "Reference",
        "Difference",
    ]
    assert all(each["source"].startswith("data:image/jpeg") for each in pictures)
    assert pictures[1]["caption"] == "karras · seed 7 · 3 evaluations"
    assert '--schedule "custom sigmas=' in schedules.surface.clips["cell"]


def test_every_noise_level_has_its_pictures_numbers_and_facts(forward):
    # given
    views = {view["name"]: view for view in forward.surface.views}

    # then: all of them are there, and no kernel is asked for any
    assert [*views] == ["facts", "pictures", "curve", "sums", "grids"]
    original, *noised = views["pictures"]["pictures"]
    assert original["source"].startswith("data:image/jpeg")
    assert original["steps"] == []
    for picture in noised:
        assert len({step["source"] for step in picture["steps"]}) == 3
    assert views["facts"]["steps"][2][:2] == ["999", "14.6"]
    assert views["curve"]["said"][1].startswith("At t 500: correlation 0.9")
    assert [step["caption"] for step in noised[2]["steps"]] == ["steps: 1", "steps: 3", "steps: 3"]
    assert [*views["sums"]["steps"][0]] == ["picture", "added", "noisy", "seen", "estimate"]
    assert forward.surface.film["times"] == [0, 500, 999]
    assert forward.surface.film["exact"] == [0, 1, 2]


def test_a_picture_is_uploaded_and_removed_again(forward):
    # given
    buffer = BytesIO()
    Image.new("RGB", (24, 32), "navy").save(buffer, "PNG")

    # when
    forward._hear({"do": "picture", "name": "image"}, [memoryview(b"no picture")])
    wrong = forward.surface.errors["image"]
    forward._hear({"do": "picture", "name": "image"}, [memoryview(buffer.getvalue())])
    uploaded = forward.surface.values["image"]
    hear(forward, do="type", name="image", value=None)

    # then
    assert uploaded.startswith("data:image/jpeg")
    assert "cannot be read" in wrong
    assert forward.surface.values["image"] is None
    assert forward.surface.errors == {}


def test_levels_that_cannot_be_are_said_beside_their_field(forward):
    hear(forward, do="type", name="count", value="99")
    hear(forward, do="type", name="noise_seed", value="-1")
    assert "2 … 40" in forward.surface.errors["count"]
    assert list(forward.surface.errors) == ["count", "noise_seed"]
    hear(forward, do="type", name="count", value="3")
    hear(forward, do="type", name="noise_seed", value="")
    assert forward.surface.errors == {}


def test_copying_saves_the_picture_that_a_run_began_from(pipe, tmp_path, monkeypatch):
    # given
    monkeypatch.chdir(tmp_path)
    panel = LatentsPanel(Latents(pipe))
    panel.lab.form.image = Picture.of(Image.new("RGB", (64, 64), "teal"))
    panel.lab.draw(**{**SMALL, "steps": 1})
    assert panel.lab.wait(PATIENCE)

    # when
    hear(panel, do="copied")

    # then
    (saved,) = tmp_path.iterdir()
    assert saved.name in panel.surface.clips["cell"]
    assert saved.name in panel.surface.status["said"]


def test_what_was_there_stays_as_html_with_its_text(panel, tmp_path):
    # when
    kept = panel.kept_html
    page = panel.to_html(tmp_path / "page.html").read_text()

    # then
    assert kept.count("<img alt=") >= 3
    assert "seed 7" in kept
    assert "<b>red</b>" not in kept + page.replace("\\u003cb>", "")
    assert len(kept) < 150_000
    state = json.loads(re.search(r"page\(document.getElementById\(\"stage\"\), (.*)\);", page)[1])
    assert state["stage"] == "board"
    assert state["views"] == json.loads(json.dumps(panel.surface.views))
    assert not re.search(r"(src|href)=\"https?:", page)


def test_what_stays_is_left_before_the_page_hears_of_the_end(pipe):
    # given: who saves the notebook as soon as a run has ended
    panel = LatentsPanel(Latents(pipe))
    left = []
    panel.on_leave(lambda: left.append((panel.surface.status["phase"], panel.kept())))

    # when
    panel.lab.draw(**SMALL)
    assert panel.lab.wait(PATIENCE)

    # then: the pictures are in it
    assert [phase for phase, kept in left if "<img" in kept] == ["running"]
    assert panel.surface.status["phase"] == "finished"


def test_another_language_is_spoken_at_once(latents, attention, schedules, forward):
    panels = (latents, attention, schedules, forward)
    set_language("es")
    titles = [panel.surface.texts["title"] for panel in panels]
    views = json.dumps([panel.surface.views for panel in panels])
    set_language("en")
    assert titles == [
        *("Latentes de una generación", "Atención a las palabras", "Niveles de ruido a mano"),
        "Una imagen bajo el ruido",
    ]
    assert "Distribuci" in views and "Sus niveles" in views and "como m" in views
    assert "ruido visto" in views and "Paso t" in views
