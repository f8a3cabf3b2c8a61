import errno
import json
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdnb import picture_file
from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.errors import InvalidField
from sdnb.hook_use import HookUse
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.parameters_text import SCHEDULE_NAMES, parameters
from sdnb.picture import FromImage, Picture
from sdnb.records.reading import read
from sdnb.registry import SCHEDULES
from sdnb.request import GenerationRequest

REQUEST = GenerationRequest(
    prompt="a red circle, (bold:1.2)\non {white|grey}",
    negative_prompt="blurry",
    seed=7,
    width=128,
    height=96,
    batch_size=2,
    sampler=Choice("euler_ancestral", (("eta", 0.5),)),
    hooks=(HookUse("step", Choice("f"), 3, 7),),
)
FACTS = {"seconds": "0.4"}


@pytest.fixture
def picture() -> Image.Image:
    return Image.new("RGB", (16, 16), "red")


def test_what_is_written_is_read_back(tmp_path: Path, picture: Image.Image) -> None:
    # given
    request = REQUEST.changed(start=FromImage(Picture.of(picture)))
    # when
    path = picture_file.write(picture, tmp_path / "cat.png", request, index=1, facts=FACTS)
    # then
    recalled = read(path)
    assert (recalled.request, recalled.index, recalled.source) == (request, 1, "sdnb")
    assert Image.open(path).getpixel((3, 3)) == (255, 0, 0)


@settings(max_examples=40, deadline=None)
@given(prompt=st.text(st.characters(codec="utf-8")), negative=st.text(st.characters(codec="utf-8")))
def test_any_text_survives_the_file(
    prompt: str, negative: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # given
    request = GenerationRequest(prompt=prompt, negative_prompt=negative, seed=1)
    path = tmp_path_factory.getbasetemp() / "text.png"
    path.unlink(missing_ok=True)
    # when
    picture_file.write(Image.new("L", (1, 1)), path, request, index=0, facts={})
    # then
    assert read(path).request == request


@pytest.mark.parametrize("suffix", picture_file.SUFFIXES)
def test_every_kind_of_file_carries_both_texts(
    tmp_path: Path, picture: Image.Image, suffix: str
) -> None:
    # given
    request = REQUEST.changed(prompt="größer 画 " * 9_000, start=FromImage(Picture.of(picture)))
    # when
    path = picture_file.write(picture, tmp_path / f"a{suffix}", request, index=1, facts=FACTS)
    # then
    assert (path.suffix, read(path).request, read(path).index) == (suffix, request, 1)
    is_long_jpeg = suffix.startswith(".j")  # whose Exif data cannot hold a text so long
    text = picture_file.read_info(path).get("parameters")
    assert text == (None if is_long_jpeg else parameters(request, index=1))


@pytest.mark.parametrize("suffix", picture_file.SUFFIXES)
def test_other_tools_find_the_parameters(tmp_path: Path, picture: Image.Image, suffix: str) -> None:
    # when
    path = picture_file.write(picture, tmp_path / f"a{suffix}", REQUEST, index=1, facts=FACTS)
    # then
    assert picture_file.read_info(path)["parameters"] == parameters(REQUEST, index=1)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_these_kinds_keep_every_pixel(tmp_path: Path, suffix: str) -> None:
    # given
    noise = Image.effect_noise((40, 24), 90).convert("RGB")
    # when
    path = picture_file.write(noise, tmp_path / f"a{suffix}", REQUEST, index=0, facts={})
    # then
    assert Image.open(path).convert("RGB").tobytes() == noise.tobytes()


def test_a_kind_of_file_nobody_knows_is_refused(tmp_path: Path, picture: Image.Image) -> None:
    with pytest.raises(InvalidField, match="PNG, a WebP or a JPEG"):
        picture_file.write(picture, tmp_path / "a.bmp", REQUEST, index=0, facts={})
    assert list(tmp_path.iterdir()) == []


def test_half_a_character_in_a_prompt_can_be_saved(tmp_path: Path, picture: Image.Image) -> None:
    request = GenerationRequest(prompt="a \ud800 cat", seed=1)
    path = picture_file.write(picture, tmp_path / "a.png", request, index=0, facts={})
    assert read(path).request == request


def test_the_parameters_text_has_the_widely_read_form() -> None:
    # given
    request = GenerationRequest(prompt="a cat", negative_prompt="a dog", seed=7)
    resolved = request.changed(width=128, height=128, checkpoint="tiny")
    # when
    text = parameters(resolved, index=2)
    # then
    assert text.startswith(
        "a cat\nNegative prompt: a dog\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, "
        "CFG scale: 4, Seed: 9, Size: 128x128, Model: tiny, Version: sdnb "
    )


def test_schedules_have_the_names_that_others_know_them_by() -> None:
    # given
    request = GenerationRequest(schedule="beta_sigma alpha=0.5")
    # then
    assert "Schedule type: Beta, " in parameters(request, index=0)
    assert set(SCHEDULE_NAMES) <= set(SCHEDULES.names())


def test_parameters_name_only_what_was_used() -> None:
    # given
    plain = GenerationRequest(prompt="a cat")
    special = plain.changed(denoise=0.5, clip_skip=1, checkpoint="a, b")
    # when
    texts = parameters(plain, index=0), parameters(special, index=0)
    # then
    assert not any(word in texts[0] for word in ("Negative", "Seed", "Size", "Denoising", "Clip"))
    assert 'Model: "a, b", Denoising strength: 0.5, Clip skip: 2' in texts[1]
    assert "Denoising strength: 0.3," in parameters(plain.changed(strength=0.3), index=0)


def test_parameters_write_loras_as_tags_of_the_prompt() -> None:
    # given
    loras = (Lora("a/style.safetensors", 0.8, sha256="ab" * 32), Lora("ink", 1.0, 0.5))

    # when
    text = parameters(GenerationRequest(prompt="a cat", loras=loras), index=0)

    # then
    assert text.startswith("a cat <lora:style:0.8> <lora:ink:0.5:1>\n")
    assert 'Lora hashes: "style: abababababab"' in text


def test_parameters_name_what_steers_in_the_form_of_the_extension_for_controlnets(
    picture: Image.Image,
) -> None:
    # given
    shown = Picture.of(picture)
    request = GenerationRequest(
        controls=(Control(picture=shown, reference="a/d.safetensors", sha256="cd" * 32),),
        ip_adapters=(IPAdapter(picture=shown, reference="plus", begin=0.25),),
    )

    # when
    text = parameters(request, index=0)

    # then
    assert (
        'ControlNet 0: "Module: none, Model: d [cdcdcdcd], Weight: 1, Resize Mode: Just '
        'Resize, Guidance Start: 0, Guidance End: 1, Control Mode: Balanced"'
    ) in text
    assert 'ControlNet 1: "Module: ip-adapter-auto, Model: plus, Weight: 1,' in text


def test_the_json_says_which_libraries_drew_it(tmp_path: Path, picture: Image.Image) -> None:
    # given
    path = picture_file.write(picture, tmp_path / "cat.png", REQUEST, index=0, facts=FACTS)
    # when
    values = json.loads(Image.open(path).text["sdnb"])
    # then
    assert values["version"] == picture_file.FORMAT
    assert values["facts"] == FACTS
    assert values["software"]["torch"] == version("torch")
    assert list(values["software"]) == ["sdnb", "torch", "diffusers", "transformers"]


def test_an_existing_file_is_never_replaced(tmp_path: Path, picture: Image.Image) -> None:
    # given
    (tmp_path / "cat.png").write_text("precious")
    # when
    paths = [
        picture_file.write(picture, tmp_path / "cat.png", REQUEST, index=0, facts={})
        for _ in range(2)
    ]
    # then
    assert [path.name for path in paths] == ["cat-2.png", "cat-3.png"]
    assert (tmp_path / "cat.png").read_text() == "precious"


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, picture: Image.Image, monkeypatch):
    # given
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    # when
    with pytest.raises(InvalidField, match="No space left") as caught:
        picture_file.write(picture, tmp_path / "new" / "cat.png", REQUEST, index=0, facts={})
    # then
    assert list((tmp_path / "new").iterdir()) == []
    assert caught.value.given.endswith("cat.png")
    assert caught.value.fix


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, picture: Image.Image, monkeypatch):
    # given
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    # when
    with pytest.raises(KeyboardInterrupt):
        picture_file.write(picture, tmp_path / "cat.png", REQUEST, index=0, facts={})
    # then
    assert list(tmp_path.iterdir()) == []


def test_a_failed_move_leaves_no_empty_file(tmp_path: Path, picture: Image.Image, monkeypatch):
    # given
    def fail(*_args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", fail)
    # when
    with pytest.raises(InvalidField, match="Input/output"):
        picture_file.write(picture, tmp_path / "cat.png", REQUEST, index=0, facts={})
    # then
    assert list(tmp_path.iterdir()) == []


def test_a_written_file_can_be_read_by_others(tmp_path: Path, picture: Image.Image) -> None:
    # given
    (tmp_path / "other").touch()
    # when
    path = picture_file.write(picture, tmp_path / "cat.png", REQUEST, index=0, facts={})
    # then
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no such file"),
        (b"GIF89a", "no PNG or WebP or JPEG"),
        (b"", "no PNG"),
        ("plain", "does not say how"),
        ("{}", "damaged"),
        ("[1", "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"version": 1, "request": {"batch_size": 2}, "index": 2}', "no such image"),
        ('{"version": 1, "request": {}, "index": -1}', "no such image"),
        ('{"version": 99, "request": {}, "index": 0}', "newer sdnb"),
        ('{"version": 1, "request": 5, "index": 0}', "no request"),
        ('{"version": 1, "request": {"start": {}}, "index": 0}', "no request"),
        ('{"version": 1, "request": {"colour": 3}, "index": 0}', "no field of a request"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content, what: str) -> None:
    # given
    path = tmp_path / "cat.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        chunks = PngInfo()
        if content != "plain":
            chunks.add_text("sdnb", content)
        Image.new("L", (1, 1)).save(path, pnginfo=chunks)
    # when
    with pytest.raises((InvalidField, LookupError), match=what) as caught:
        read(path)
    # then
    assert caught.value.allowed or caught.value.fix


def test_a_cut_file_is_an_error_not_a_guess(tmp_path: Path, picture: Image.Image) -> None:
    # given
    path = picture_file.write(picture, tmp_path / "cat.png", REQUEST, index=0, facts={})
    path.write_bytes(path.read_bytes()[:60])
    # when / then
    with pytest.raises(InvalidField):
        read(path)
