"""Controls as plain values: written, read back, checked at once."""

import json
import pickle

import pytest
from PIL import Image

from sdnb.control import Control
from sdnb.errors import InvalidField
from sdnb.picture import Picture
from sdnb.request import GenerationRequest


@pytest.fixture
def depth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8), (10, 200, 30)).save("depth.png")
    return Picture.read("depth.png")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("depth", {}),
        ("depth:0.7", {"weight": 0.7}),
        ("depth:-1:0.2-0.8", {"weight": -1.0, "begin": 0.2, "end": 0.8}),
        ("depth:0-0.5", {"end": 0.5}),
        ("nets/my depth.safetensors:.5", {"weight": 0.5}),
        ("C:\\nets\\depth.safetensors:1e-3", {"weight": 0.001}),
        ("3", {}),
    ],
)
def test_a_control_is_written_with_its_weight_and_span(depth, text, fields):
    control = Control.parse(f"depth.png:{text}")
    reference = control.reference
    assert control == Control(picture=depth, reference=reference, **fields)
    assert text.startswith(reference)
    assert Control.parse(f"depth.png:{control}") == control


@pytest.mark.parametrize(
    "text",
    [
        "",
        "depth.png",
        "depth.png:",
        "missing.png:depth",
        "depth.png:depth:nan",
        "depth.png:depth:1:0.8-0.2",
        "depth.png:depth:1:0-2",
        "depth.png:depth:1:2:3",
    ],
)
def test_a_control_written_wrongly_is_refused(depth, text):
    with pytest.raises(InvalidField):
        Control.parse(text)


def test_a_step_is_heard_that_lies_within_the_span(depth):
    control = Control(picture=depth, reference="depth", begin=0.2, end=0.8)
    heard = [control.is_heard(step, 5) for step in range(5)]
    assert heard == [False, True, True, True, False]


def test_without_weight_nothing_is_heard(depth):
    control = Control(picture=depth, reference="depth", weight=0.0)
    assert not any(control.is_heard(step, 4) for step in range(4))


def test_a_request_keeps_the_picture_of_a_control(depth):
    # given
    request = GenerationRequest(controls="depth.png:depth:0.7:0-0.5")

    # when
    stored = json.loads(json.dumps(request.to_json()))

    # then
    assert GenerationRequest.from_json(stored) == request
    assert request.controls[0].picture == depth
    assert hash(pickle.loads(pickle.dumps(request))) == hash(request)


@pytest.mark.parametrize("given", [3, ["depth.png:depth", 3], None])
def test_what_is_no_control_is_refused(depth, given):
    with pytest.raises(InvalidField, match="controls"):
        GenerationRequest(controls=given)


def test_a_stored_control_that_is_broken_is_refused(depth):
    stored = GenerationRequest(controls="depth.png:depth").to_json()
    del stored["controls"][0]["picture"]
    with pytest.raises(InvalidField, match="no request"):
        GenerationRequest.from_json(stored)
