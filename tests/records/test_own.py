"""A picture that sdnb saved comes back as it was, and says where it may not."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import sdnb
from sdnb.comparison.compare import compare
from sdnb.errors import InvalidField
from sdnb.events import Hooks
from sdnb.picture_file import software
from sdnb.records.own import read_own
from sdnb.registry import SAMPLERS

SMALL = {"width": 32, "height": 32, "steps": 3, "seed": 7}


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_a_saved_picture_comes_back_bit_for_bit(pipe, tmp_path, sampler):
    # given
    batch_size = 1 if SAMPLERS[sampler].adaptive else 2
    result = pipe.run("a red circle", sampler=sampler, batch_size=batch_size, **SMALL)
    path = result.save(tmp_path)[-1]

    # when
    recalled = sdnb.read(path)
    again = pipe.run(recalled.request)

    # then
    drawn = np.asarray(Image.open(path))
    assert np.array_equal(drawn, np.asarray(again.images[recalled.index]))
    assert recalled.index == batch_size - 1
    assert recalled.differences == ()


def test_a_picture_of_a_comparison_is_marked_and_comes_back_nearly(pipe, tmp_path):
    # given
    comparison = compare(pipe, "a red circle", sampler=["euler", "heun"], **SMALL)
    (path,) = comparison.results[0].save(tmp_path)

    # when
    recalled = sdnb.read(path)
    again = pipe.run(recalled.request)

    # then
    assert [line.what for line in recalled.differences] == ["shared network calls"]
    drawn = np.asarray(Image.open(path)).astype(int)
    assert np.abs(drawn - np.asarray(again.images[0])).max() <= 1


def test_cells_that_are_computed_exactly_are_not_marked(pipe, tmp_path):
    comparison = compare(pipe, "a circle", sampler=["euler", "heun"], exact=True, **SMALL)
    (path,) = comparison.results[0].save(tmp_path)
    assert sdnb.read(path).differences == ()


def test_a_film_and_a_facts_line_know_the_device(pipe):
    computed = pipe.run("", **SMALL).computed
    assert computed["device"] == "cpu"
    assert computed["dtype"] == "float32"
    assert int(computed["threads"]) >= 1


def test_a_function_that_was_given_is_named(pipe, tmp_path):
    # given
    def dim(event):
        return event.x_next * 0.9

    (path,) = pipe.run("", hooks=Hooks(on_step=(dim,)), **SMALL).save(tmp_path)

    # when
    (difference,) = sdnb.read(path).differences

    # then
    assert (difference.what, difference.theirs) == ("hook", "step:dim")
    assert "give it again" in difference.why


def text(pipe, **changed):
    values = {
        "version": 1,
        "request": sdnb.GenerationRequest(seed=1).to_json(),
        "index": 0,
        "facts": {},
        "software": software(),
    }
    return json.dumps({**values, **changed})


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"software": {"torch": "0.4"}}, "torch"),
        ({"facts": {"device": "cuda:0", "dtype": "float16"}}, "device"),
        ({"facts": {"device": "cpu", "threads": "999"}}, "threads"),
        ({"facts": {"interrupted after steps": "3"}}, "interrupted after"),
    ],
)
def test_what_may_change_the_last_bits_is_said(pipe, changed, what):
    (difference,) = read_own(text(pipe, **changed), "a.png").differences
    assert difference.what == what
    assert difference.why


def test_the_checkpoint_that_is_not_at_hand_is_said(pipe):
    request = sdnb.GenerationRequest(checkpoint="photon_v9").to_json()
    (difference,) = read_own(text(pipe, request=request), "a.png").differences
    assert "no checkpoint of this name" in difference.why


def test_the_report_shows_request_and_code(tiny, tmp_path, monkeypatch):
    # given
    monkeypatch.chdir(tmp_path)
    (path,) = tiny.run("a red 'circle'", sampler="euler_ancestral eta=0.5", **SMALL).save("a.png")
    recalled = sdnb.read(path)

    # when
    names: dict[str, object] = {}
    exec(recalled.python, names)

    # then
    assert names["request"] == recalled.request
    assert names["result"].images[0].tobytes() == Image.open(path).tobytes()
    assert recalled.python in repr(recalled).replace("\n  ", "\n")


def test_nothing_in_a_file_is_shown_as_html_or_moves_the_text(tmp_path: Path):
    # given
    evil = '<script>alert(1)</script>" onerror=\u202egnp.exe\x1b[31m'
    chunks = PngInfo()
    request = sdnb.GenerationRequest(prompt=evil, seed=1, checkpoint=evil).to_json()
    values = {"version": 1, "request": request, "index": 0, "software": {evil: evil}}
    chunks.add_text("sdnb", json.dumps(values))
    Image.new("L", (1, 1)).save(tmp_path / "a.png", pnginfo=chunks)

    # when
    bundle = sdnb.read(tmp_path / "a.png")._repr_mimebundle_()

    # then
    assert "<script" not in bundle["text/html"]
    for shown in bundle.values():
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_what_a_cell_cannot_say_of_a_lora_is_said_beside_its_hash(tiny, tmp_path):
    # given
    (path,) = tiny.run("a red circle", loras=("ink:0.8",), **SMALL).save(tmp_path)

    # when
    recalled = sdnb.read(path)

    # then
    (lora,) = recalled.request.loras
    (line,) = [line for line in recalled.lines if line.what == "loras"]
    assert line.theirs == f"ink:0.8, hash {lora.sha256[:12]}"
    assert "whatever file now has that name" in line.ours
    assert lora.sha256 in recalled.python
    assert recalled.differences == ()


@pytest.mark.parametrize("name", ["a\0.json", "a\0.png", "a" * 5000 + ".json"])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(InvalidField, match="file"):
        sdnb.read(name)
