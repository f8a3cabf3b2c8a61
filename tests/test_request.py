"""Requests: checked at once, plain, and the same after a trip through JSON."""

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdnb.choice import Choice
from sdnb.errors import InvalidField, UnknownName
from sdnb.hook_use import HookUse
from sdnb.lora import Lora
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request import GenerationRequest

REQUESTS = st.builds(
    GenerationRequest,
    prompt=st.text(),
    negative_prompt=st.text(),
    seed=st.none() | st.integers(0, 2**64 - 1),
    batch_size=st.integers(1, 256),
    width=st.none() | st.integers(1, 1024).map(lambda eighth: eighth * 8),
    steps=st.integers(1, 1000),
    cfg_scale=st.floats(-20, 40),
    sampler=st.sampled_from(SAMPLERS.names()),
    schedule=st.sampled_from([*SCHEDULES.names(), "karras rho=5", "custom sigmas=14.6,5,1,0"]),
    denoise=st.floats(0.01, 1),
    loras=st.lists(
        st.builds(
            Lora,
            st.sampled_from(["style", "a b/style.safetensors", "C:\\new:2", "odd:0.5"]),
            st.floats(-3, 3),
            st.none() | st.floats(-3, 3),
            st.sampled_from(["", "ab" * 32]),
        )
    ),
    hooks=st.lists(
        st.builds(HookUse, st.sampled_from(["step", "denoise"]), st.just(Choice("f")))
    ).map(tuple),
)


@settings(deadline=None)
@given(request=REQUESTS)
def test_json_gives_the_same_request_back(request):
    assert GenerationRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    assert hash(pickle.loads(pickle.dumps(request))) == hash(request)


@given(steps=st.integers(1, 1000), share=st.floats(0.01, 1))
def test_json_gives_the_same_strength_back(steps, share):
    # given
    request = GenerationRequest(steps=steps, strength=max(share, 1.001 / steps) if steps > 1 else 1)

    # when
    again = GenerationRequest.from_json(json.loads(json.dumps(request.to_json())))

    # then
    assert again == request
    assert 1 <= again.steps_made[0] <= steps


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 513),
        ("height", 0),
        ("steps", 0),
        ("steps", 2.5),
        ("seed", -1),
        ("seed", True),
        ("batch_size", 0),
        ("cfg_scale", float("nan")),
        ("cfg_scale", "much"),
        ("denoise", 0),
        ("denoise", 1.5),
        ("strength", 0),
        ("strength", True),
        ("prompt", None),
        ("clip_skip", -1),
        ("checkpoint", 5),
        ("start", "cat.png"),
        ("hooks", ("step:f",)),
        ("loras", (5,)),
        ("loras", 5),
        ("sampler", 5),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(field, value):
    with pytest.raises(InvalidField, match=field):
        GenerationRequest(**{field: value})


def test_a_wrong_size_is_told_the_nearest_right_one():
    with pytest.raises(InvalidField) as caught:
        GenerationRequest(width=513)
    assert "512" in caught.value.fix


def test_an_unknown_field_is_told_the_nearest():
    with pytest.raises(UnknownName, match="cfg_scale"):
        GenerationRequest().changed(cfg_scal=3)


@pytest.mark.parametrize(
    "values",
    [
        {"sampler": 5},
        {"hooks": [5]},
        {"loras": [5]},
        {"loras": [{"lora": "style"}]},
        {"schema": "x"},
        {"start": 1},
        {"start": {}},
        {"start": {"picture": "", "mask": ""}},
        {"start": {"picture": "", "mask": None}},
    ],
)
def test_what_is_no_request_is_refused(values):
    with pytest.raises(InvalidField):
        GenerationRequest.from_json(values)


def test_a_newer_schema_is_refused():
    with pytest.raises(InvalidField, match="newer"):
        GenerationRequest.from_json({"schema": 99})


def test_a_picture_is_kept_by_content(tmp_path):
    # given
    image = Image.new("RGB", (16, 16), "red")
    image.save(tmp_path / "red.png")

    # when
    start = FromImage.read(tmp_path / "red.png")
    request = GenerationRequest(start=start)

    # then
    assert start.picture.open().getpixel((3, 3)) == (255, 0, 0)
    assert GenerationRequest.from_json(request.to_json()) == request
    assert Picture.of(image).sha256 == start.picture.sha256


def test_a_mask_is_kept_with_its_picture(tmp_path):
    # given
    Image.new("RGB", (16, 8), "red").save(tmp_path / "red.png")
    Image.new("1", (16, 8), 1).save(tmp_path / "white.png")

    # when
    start = Inpaint.read(tmp_path / "red.png", tmp_path / "white.png")
    request = GenerationRequest(start=start)

    # then
    assert start.mask.open().getpixel((3, 3)) == (255, 255, 255)
    assert GenerationRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    assert hash(pickle.loads(pickle.dumps(request))) == hash(request)


def test_a_broken_picture_is_refused(tmp_path):
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(InvalidField, match="cannot be read"):
        FromImage.read(tmp_path / "no.png")
