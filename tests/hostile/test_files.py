"""Pictures and JSON from anywhere: read, or refused by name; never a crash, never a bomb."""

import json
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import sdnb
from sdnb import picture_file
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.records.a1111 import LONGEST, read_parameters
from sdnb.records.comfyui import read_workflow
from sdnb.records.own import read_own, read_request
from sdnb.request import GenerationRequest
from tests.golden.make import REQUEST
from tests.hostile.conftest import refused
from tests.records import test_a1111, workflows

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MUTATIONS = 200
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

NUMBERS = st.integers() | st.floats() | st.sampled_from([2**64, -1, 1e308, 0])
WORDS = st.sampled_from(
    ["", "euler", "karras eta=1", "tiny", "step:f", "2x", "\0", "\ud800", "../x"]
)
PLAIN = st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=8)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, size: tuple[int, int] = (1, 1)) -> bytes:
    """Put chunks before the pixels of a black PNG."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    return SIGNATURE + head + b"".join(chunks) + pixels


@cache
def bomb(megabytes: int) -> bytes:
    """Compress so many megabytes of spaces."""
    squeezer = zlib.compressobj(9)
    parts = [squeezer.compress(b" " * 2**20) for _ in range(megabytes)]
    return b"".join([*parts, squeezer.flush()])


def mutated(data: bytes, seed: int) -> bytes:
    """Cut, repeat, overwrite or exchange parts of a file."""
    draw = random.Random(seed)
    at, length = draw.randrange(len(data)), draw.randrange(1, 40)
    junk = draw.randbytes(length)
    return [
        data[:at],
        data[:at] + data[at + length :],
        data[:at] + junk + data[at:],
        data[:at] + junk + data[at + length :],
        data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :],
        data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :],
        data[:at] + data[at : at + length] * 20 + data[at:],
    ][draw.randrange(7)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Save a picture as each kind of file, and as A1111 and ComfyUI write theirs."""
    folder, image = tmp_path_factory.mktemp("saved"), Image.effect_noise((9, 9), 90).convert("RGB")
    paths = [
        picture_file.write(image, folder / f"a{suffix}", REQUEST, index=1, facts={"seconds": "1"})
        for suffix in picture_file.SUFFIXES[:3]
    ]
    texts = {"parameters": test_a1111.TEXT, "prompt": json.dumps(workflows.second_pass())}
    for name, text in texts.items():
        chunks = PngInfo()
        chunks.add_text(name, text)
        image.save(folder / f"{name}.png", pnginfo=chunks)
        paths.append(folder / f"{name}.png")
    return paths


def test_mutated_pictures_are_read_or_refused(saved: list[Path], tmp_path: Path) -> None:
    for number, path in enumerate(saved):
        data = path.read_bytes()
        for seed in range(MUTATIONS):
            target = tmp_path / f"m{path.suffix}"
            target.write_bytes(mutated(data, seed * 31 + number))
            refused(sdnb.read, target)


SIZE = 300  # megabytes: more than a test may take
BOMBS: dict[str, Callable[[], bytes]] = {
    "own": lambda: png(chunk(b"zTXt", b"sdnb\0\0" + bomb(SIZE))),
    "workflow": lambda: png(chunk(b"zTXt", b"prompt\0\0" + bomb(SIZE))),
    "international": lambda: png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + bomb(SIZE))),
    "many texts": lambda: png(*[chunk(b"zTXt", b"k%d\0\0" % i + bomb(1)) for i in range(SIZE)]),
    "colour profile": lambda: png(chunk(b"iCCP", b"sdnb\0\0" + bomb(SIZE))),
    "deep list": lambda: png(chunk(b"tEXt", b"sdnb\0" + b"[" * 10_000_000)),
    "wide list": lambda: png(chunk(b"tEXt", b"sdnb\0" + b"[[]" + b",[]" * 4_000_000 + b"]")),
    "deep request": lambda: png(
        chunk(b"tEXt", b'sdnb\0{"version":1,"index":0,"request":' + b'{"a":' * 100_000)
    ),
    "deep workflow": lambda: png(chunk(b"tEXt", b"prompt\0" + b'{"a":' * 100_000)),
    "pairs": lambda: png(chunk(b"tEXt", b"parameters\0" + b"a: b, " * 2_000_000)),
    "short pairs": lambda: parameters(b"a\nSteps: 1" + b", a: b" * 30_000),
    "open quotes": lambda: parameters(b"a\nSteps: 1" + b', a: "' * 30_000),
    "escapes": lambda: parameters(b'a\nSteps: 1, a: "' + b"\\" * 190_000),
    "open tags": lambda: parameters(b"<lora:" * 30_000 + b"\nSteps: 5"),
    "endless size": lambda: png(size=(2**31 - 1, 2**31 - 1)),
    "large size": lambda: png(size=(60_000, 60_000)),
    "endless chunk": lambda: png(struct.pack(">I", 2**31 - 1) + b"tEXt" + b"sdnb\0"),
    "signature": lambda: SIGNATURE,
    "nothing": lambda: SIGNATURE + b"\0" * 100_000,
}


def parameters(text: bytes) -> bytes:
    """Make a picture with a text short enough to be read."""
    assert len(text) < LONGEST
    return png(chunk(b"tEXt", b"parameters\0" + text))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_within_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(BOMBS[name]())
    refused(sdnb.read, path)


@QUICK
@given(name=st.sampled_from(list(GenerationRequest().to_json())), value=JSON)
def test_any_value_of_any_field_is_taken_or_refused(name: str, value: Any) -> None:
    refused(GenerationRequest.from_json, REQUEST.to_json() | {name: value})
    text = json.dumps(REQUEST.to_json() | {name: value})
    refused(read_request, text, "a.json")


@QUICK
@given(value=JSON)
def test_any_json_in_the_place_of_a_request_is_refused(value: Any) -> None:
    assert refused(read_own, json.dumps(value), "a.png")
    whole = {"version": 1, "request": value, "index": 0, "facts": value, "software": value}
    refused(read_own, json.dumps(whole), "a.png")


@QUICK
@given(
    text=st.text(max_size=80), last=st.text(st.sampled_from('Steps: 5,aB"\\x1.-<>'), max_size=60)
)
def test_any_text_of_parameters_is_read_or_refused(text: str, last: str) -> None:
    refused(read_parameters, f"{text}\nSteps: 5, {last}", "a.png")
    refused(read_parameters, text, "a.png")


FORMS = [
    workflows.text_to_image(),
    workflows.with_loras(),
    workflows.image_to_image(masked=True),
    workflows.second_pass(),
    workflows.controlled(),
    workflows.advanced(),
]
LINKS = st.tuples(
    st.sampled_from(["3", "4", "6", "8", "22", "30", "99", 3]), st.integers(-2, 3)
).map(list)


@settings(QUICK, max_examples=250)
@given(form=st.sampled_from(FORMS), data=st.data(), value=LINKS | JSON)
def test_any_change_of_a_workflow_is_read_or_refused(form: Any, data: Any, value: Any) -> None:
    # given
    nodes = json.loads(json.dumps(form))
    name = data.draw(st.sampled_from(sorted(nodes)))
    place = data.draw(st.sampled_from([*sorted(nodes[name]["inputs"]), "class_type", ""]))
    if place == "":
        nodes[name] = value
    elif place == "class_type":
        nodes[name]["class_type"] = value
    else:
        nodes[name]["inputs"][place] = value
    # then
    refused(read_workflow, json.dumps(nodes), "a.json", None)


def test_prompts_that_share_nodes_do_not_multiply() -> None:
    nodes = workflows.text_to_image(positive=["c60", 0])
    for level in range(61):
        below = f"c{level - 1}" if level else "6"
        inputs = {"conditioning_to": [below, 0], "conditioning_from": [below, 0]}
        nodes[f"c{level}"] = workflows.node("ConditioningConcat", **inputs)
    assert refused(read_workflow, json.dumps(nodes), "a.json", None)


def test_a_long_chain_of_loras_is_no_trouble() -> None:
    nodes = workflows.text_to_image(model=["l4999", 0])
    for number in range(5000):
        below = f"l{number - 1}" if number else "4"
        nodes[f"l{number}"] = workflows.node("LoraLoader", lora_name="a", model=[below, 0])
    assert not refused(read_workflow, json.dumps(nodes), "a.json", None)


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_inside_a_request_is_no_bomb(size: tuple[int, int]) -> None:
    # given
    huge = Picture(png(size=size))
    small = Picture.of(Image.new("RGB", (8, 8)))
    # then
    refused(GenerationRequest.from_json, GenerationRequest(start=FromImage(huge)).to_json())
    refused(lambda: Inpaint(huge, small))
    assert refused(huge.open)


def test_what_a_file_names_is_never_opened(tmp_path: Path) -> None:
    # given
    nodes = workflows.with_loras() | workflows.image_to_image()
    nodes["20"]["inputs"]["image"] = "/etc/hostname"
    (tmp_path / "a.json").write_text(json.dumps(nodes))
    paths = [tmp_path / "a.json"]
    request = REQUEST.changed(checkpoint="/etc/shadow").to_json() | {"loras": ["/etc/passwd:1"]}
    chunks = PngInfo()
    chunks.add_text("sdnb", json.dumps({"version": 1, "request": request, "index": 0}))
    Image.new("L", (1, 1)).save(tmp_path / "a.png", pnginfo=chunks)
    paths.append(tmp_path / "a.png")

    # when
    with watched() as opened:
        for path in paths:
            refused(sdnb.read, path)
    # then
    assert {str(path) for path in paths} <= set(opened)
    assert not [path for path in opened if path.startswith("/etc")]


@contextmanager
def watched() -> Iterator[list[str]]:
    """Gather every path that Python opens or lists, and those of safetensors files."""
    opened: list[str] = []
    is_on = True

    def note(event: str, args: tuple[Any, ...]) -> None:
        if is_on and event in ("open", "os.listdir", "os.scandir"):
            opened.append(str(args[0]))

    def refuse(path: Any, *_args: Any, **_options: Any) -> Any:
        raise AssertionError(f"{path} is opened")

    sys.addaudithook(note)  # for good: it can only be silenced
    with pytest.MonkeyPatch.context() as patched:
        for module in [*sys.modules.values()]:  # safetensors opens files outside of Python
            if getattr(module, "__name__", "").startswith(("safetensors", "sdnb.models")):
                patched.setattr(module, "safe_open", refuse, raising=False)
        yield opened
    is_on = False
