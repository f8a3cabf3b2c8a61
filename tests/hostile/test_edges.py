"""What once broke a reader: numbers, names, chains and structures past every bound."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import sdnb
from sdnb import picture_file
from sdnb.control import Control
from sdnb.embedding import find_mentions
from sdnb.errors import InvalidField, LoadError
from sdnb.lora import Lora
from sdnb.models.lora_file import locate_lora
from sdnb.picture import FromImage, FromNoise, Picture
from sdnb.records.a1111 import read_parameters
from sdnb.records.comfyui import read_workflow
from sdnb.records.own import read_own, read_request
from sdnb.request import GenerationRequest
from tests.golden.make import REQUEST
from tests.hostile.conftest import refused, within_limits
from tests.records import workflows

LONG = "x" * 300
HUGE = 10**400
SMALL = Image.new("RGB", (8, 8), "red")


def test_a_text_of_any_name_may_stand_in_a_picture(tmp_path: Path) -> None:
    for name in ("xmp", "XML:com.adobe.xmp", "exif", "icc_profile", "gamma"):
        chunks = PngInfo()
        chunks.add_text(name, "sdnb")
        SMALL.save(tmp_path / "a.png", pnginfo=chunks)
        assert refused(sdnb.read, tmp_path / "a.png")


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999", str(HUGE)])
@pytest.mark.parametrize("place", ["index", "version", "schema", *GenerationRequest().to_json()])
def test_a_number_past_every_bound_is_refused(place: str, number: str) -> None:
    # given
    request = {"schema": 2} | ({} if place in ("index", "version") else {place: 5})
    whole = {"version": 1, "request": request, "index": 0}
    if place in whole:
        whole[place] = 5
    # then
    assert place == "version" or refused(read_own, json.dumps(whole).replace("5", number), "a.png")
    refused(read_own, json.dumps(whole).replace("5", number), "a.png")
    refused(read_request, json.dumps(request).replace("5", number), "a.json")


@pytest.mark.parametrize("digits", [9, 400, 5000])
def test_a_size_of_many_digits_is_no_second_pass(digits: int) -> None:
    for side in ("x8", f"x{'9' * digits}"):
        text = f"a\nSteps: 5, Hires resize: {'9' * digits}{side}, Denoising strength: 0.5"
        assert read_parameters(text, "a.png").request.hires is None
    assert not refused(read_parameters, f"a\nSteps: 5, Hires upscale: {'9' * digits}", "a.png")


@pytest.mark.parametrize("between", [None, "LatentUpscaleBy"])
def test_a_long_chain_of_samplers_is_no_trouble(between: str | None) -> None:
    # given
    nodes = workflows.text_to_image()
    sampling = nodes["3"]["inputs"]
    for number in range(2000):
        below = [f"s{number - 1}" if number else "3", 0]
        if between:
            nodes[f"u{number}"] = workflows.node(between, samples=below, scale_by=1.5)
            below = [f"u{number}", 0]
        nodes[f"s{number}"] = workflows.node("KSampler", **(sampling | {"latent_image": below}))
    nodes["8"]["inputs"]["samples"] = ["s1999", 0]
    # when
    with within_limits():
        recalled = read_workflow(json.dumps(nodes), "a.json", None)
    # then
    assert (recalled.request.width, recalled.request.height) == (512, 768)
    assert (recalled.request.hires is None) == (between is None)


def test_names_longer_than_a_file_can_have_are_names_of_no_file(tmp_path: Path) -> None:
    # given
    nodes = workflows.with_loras() | workflows.image_to_image(masked=True)
    nodes["20"]["inputs"]["image"] = LONG
    nodes["10"] = workflows.node("LoraLoader", lora_name=LONG, model=["4", 0])
    nodes["3"]["inputs"]["model"] = ["10", 0]
    # then
    assert not refused(read_workflow, json.dumps(nodes), "a.json", tmp_path)
    assert not refused(read_parameters, f"a <lora:{LONG}:1>\nSteps: 5", "a.png")


@pytest.mark.parametrize("name", [LONG, "a/" * 3000 + "b", "\0", "\ud800"])
def test_a_lora_that_no_file_can_be_is_not_found(tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.setenv("SDNB_MODELS", str(tmp_path))
    with pytest.raises(LoadError, match="no LoRA of this name"):
        locate_lora(name)


@pytest.mark.parametrize("known", ["style", "silver", "STRASSE", "kelvin"])
def test_letters_that_only_look_alike_name_the_same_file(known: str) -> None:
    for text in ("\u017ftyle", "s\u0131lver", "s\u0130lver", "\u212aelvin", known.upper()):
        for mention in find_mentions(text, "a1111", ["other", known]):
            assert mention.name == known


@pytest.mark.parametrize("sha256", [5, ["x"], {"a": 1}])
def test_the_hash_of_a_steering_network_is_text(sha256: Any) -> None:
    # given
    control = Control(picture=Picture.of(SMALL), reference="depth")
    written = GenerationRequest(controls=(control,)).to_json()
    written["controls"][0]["sha256"] = sha256
    # then
    read = GenerationRequest.from_json(written)
    assert isinstance(read.controls[0].sha256, str)


def test_an_error_names_the_bad_part_of_a_request_and_stays_short() -> None:
    # given
    start = FromImage(Picture.of(Image.effect_noise((99, 99), 90)))
    written = GenerationRequest(start=start).to_json() | {"hooks": 5}
    # when
    with pytest.raises(InvalidField, match="its hooks") as caught:
        GenerationRequest.from_json(written)
    # then
    assert caught.value.given == 5
    written["start"]["picture"] += "="
    written["start"]["mask"] = 3
    with pytest.raises(InvalidField, match="its start") as caught:
        GenerationRequest.from_json(written | {"hooks": ()})
    assert len(str(caught.value)) < 600


def test_many_marks_of_alternation_take_no_time() -> None:
    text = f"a{'[|' * 10_000}\nSteps: 5"
    with within_limits(seconds=0.5):
        read_parameters(text, "a.png")
        read_parameters(f"a{'[' + '|' * 10_000}\nSteps: 5", "a.png")


@pytest.mark.parametrize("unit", ["[],", "{},", '{"a":[]},', "0,", '"",'])
def test_a_structure_of_millions_of_parts_is_refused_unread(unit: str) -> None:
    many = "[" + unit * (12_000_000 // len(unit)) + "0]"
    assert refused(read_own, f'{{"version": 1, "index": 0, "request": {many}}}', "a.png")
    assert refused(read_request, f'{{"schema": 2, "prompt": {many}}}', "a.json")
    assert refused(read_workflow, f'{{"1": {many[:3_000_000]}0]}}', "a.json", None)


def test_a_request_with_a_large_picture_is_no_such_structure() -> None:
    picture = Picture.of(Image.effect_noise((1500, 1500), 90))
    request = GenerationRequest(start=FromImage(picture), prompt="a, [b:c:0.5], " * 5000)
    assert read_request(json.dumps(request.to_json()), "a.json").request == request


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM"])
def test_a_picture_that_needs_another_program_is_not_opened(tmp_path: Path, kind: str) -> None:
    # given
    SMALL.save(tmp_path / "in.png", kind)
    nodes = workflows.image_to_image(masked=True)
    # when
    with pytest.raises(InvalidField, match="cannot be read"):
        Picture.read(tmp_path / "in.png")
    recalled = read_workflow(json.dumps(nodes), "a.json", tmp_path)
    # then
    assert recalled.request.start == FromNoise()


def test_a_picture_of_more_pixels_than_a_run_can_take_is_not_decoded(tmp_path: Path) -> None:
    # given
    Image.new("1", (8200, 8200)).save(tmp_path / "in.png")
    nodes = workflows.image_to_image(masked=True)
    # then
    assert refused(Picture.read, tmp_path / "in.png")
    assert refused(Picture((tmp_path / "in.png").read_bytes()).open)
    with within_limits():
        recalled = read_workflow(json.dumps(nodes), "a.json", tmp_path)
    assert recalled.request.start == FromNoise()


@pytest.mark.parametrize("suffix", picture_file.SUFFIXES[:3])
def test_input_pictures_too_large_for_a_file_are_named_instead(
    tmp_path: Path, monkeypatch, suffix: str
) -> None:
    # given
    monkeypatch.setattr(picture_file, "MOST_TEXT", 3000)
    picture = Picture.of(Image.effect_noise((99, 99), 90))
    control = Control(picture=picture, reference="depth")
    request = REQUEST.changed(start=FromImage(picture), controls=(control,), loras=(Lora("ink"),))
    # when
    path = picture_file.write(SMALL, tmp_path / f"a{suffix}", request, index=1, facts={"a": "b"})
    # then
    recalled = sdnb.read(path)
    assert recalled.request == request.changed(start=FromNoise(), controls=(), ip_adapters=())
    said = {line.what: line for line in recalled.differences}
    assert picture.sha256[:12] in said["left out"].theirs
    assert "start" in said["left out"].theirs
    assert "controls" in said["left out"].theirs
