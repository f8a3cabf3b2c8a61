"""A request as a cell and as Python: read back, it is the same request, or there is no cell.

A cell leaves out hashes of files; Python keeps them.
"""

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image

import sdnb
from sdnb.choice import Choice
from sdnb.comparison.axes import read_axes
from sdnb.control import Control
from sdnb.embedding import Embedding
from sdnb.hook_use import HookUse
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.magics.parse import Order, parse_cell
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture
from sdnb.request import GenerationRequest
from sdnb.written import (
    as_cell,
    as_python,
    comparison_as_cell,
    comparison_as_python,
    input_files,
    without_hashes,
)

BUILT_IN = GenerationRequest()
RED, WHITE = (Picture.of(Image.new("RGB", (8, 8), colour)) for colour in ("red", "white"))


def read_cell(cell: str, beside: GenerationRequest = BUILT_IN) -> GenerationRequest:
    """Read a cell as a notebook does: IPython hands the magic its line and its body."""
    (call,) = ast.parse(TransformerManager().transform_cell(cell)).body
    magic, line, body = (ast.literal_eval(argument) for argument in call.value.args)
    assert magic == "sd"
    return parse_cell(line, body, Order(beside), {}).request


def run_python(code: str, monkeypatch: pytest.MonkeyPatch) -> GenerationRequest:
    class Pipe:
        def run(self, request: GenerationRequest) -> GenerationRequest:
            return request

    monkeypatch.setattr(sdnb, "load", lambda *_reference: Pipe(), raising=False)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["result"]


MARKS = ["a", "b ", "\n", "\r", "\x85", "\u2028", ":", ";", "-", "_", '"', "'", "\\", "=", "(", "]"]
WORDS = ["---", "negative:", ">>> ", "... ", "In [1]: ", "{{x}}", "none", "--steps", "%sd", "?"]
TEXTS = st.lists(st.sampled_from(MARKS + WORDS), max_size=6).map("".join)
NUMBERS = st.floats(-1e6, 1e6)
SHARES = st.floats(0.001, 1)
HASHES = st.sampled_from(["", "ab12"])
NAMES = st.sampled_from(["a.safetensors", "a b.safetensors", "none", "C:/x.safetensors", "b:1"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "prompt": TEXTS,
    "negative_prompt": TEXTS,
    "seed": st.none() | st.integers(0, 2**64 - 1),
    "batch_size": st.integers(1, 256),
    "width": st.none() | st.integers(1, 99).map(lambda side: side * 8),
    "steps": st.integers(1, 1000),
    "cfg_scale": NUMBERS,
    "sampler": st.builds(
        lambda eta: Choice("euler_ancestral", (("eta", eta),)), st.booleans() | NUMBERS
    ),
    "schedule": st.sampled_from(["karras", "karras rho=5", "custom sigmas=14.6,5,1,0"]),
    "denoise": SHARES,
    "start": st.sampled_from([FromNoise(), FromImage(RED), Inpaint(RED, WHITE)]),
    "hires": st.none() | st.sampled_from(["2x", "1.25x denoise=0.3 steps=7 upscale=latent"]),
    "loras": st.lists(st.builds(Lora, NAMES, NUMBERS, st.none() | NUMBERS, HASHES), max_size=2).map(
        tuple
    ),
    "embeddings": st.lists(st.builds(Embedding, NAMES, HASHES), max_size=2).map(tuple),
    "controls": st.lists(
        st.builds(
            lambda name, weight, sha256: Control(
                picture=RED, reference=name, weight=weight, end=0.5, sha256=sha256
            ),
            NAMES,
            NUMBERS,
            HASHES,
        ),
        max_size=2,
    ).map(tuple),
    "ip_adapters": st.lists(
        st.builds(
            lambda weight, *hashes: IPAdapter(
                picture=WHITE,
                reference="face",
                weight=weight,
                sha256=hashes[0],
                image_encoder=hashes[1],
            ),
            NUMBERS,
            HASHES,
            HASHES,
        ),
        max_size=1,
    ).map(tuple),
    "checkpoint": st.none() | st.sampled_from(["tiny", "none", "a b/c.safetensors"]),
    "clip_skip": st.integers(0, 3),
    "syntax": st.sampled_from(["comfyui", "a1111", "plain"]),
    "hooks": st.lists(
        st.builds(HookUse, st.just("step"), st.just(Choice("f")), given=st.booleans()), max_size=1
    ).map(tuple),
}
REQUESTS = st.fixed_dictionaries({}, optional=FIELDS).map(lambda few: GenerationRequest(**few))
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hold the pictures of all requests above, by the names that their texts call them."""
    steering = (
        Control(picture=RED, reference="a"),
        IPAdapter(picture=WHITE, reference="a"),
    )
    request = GenerationRequest(
        start=Inpaint(RED, WHITE), controls=steering[:1], ip_adapters=steering[1:]
    )
    for name, png in input_files(request).items():
        (tmp_path / name).write_bytes(png)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@FEW
@given(request_=REQUESTS, beside=REQUESTS)
def test_a_cell_is_read_as_its_request_without_hashes_beside_any_defaults(
    folder: Path, request_: GenerationRequest, beside: GenerationRequest
) -> None:
    cell = as_cell(request_, beside=beside)
    assert not cell or read_cell(cell, beside) == without_hashes(request_)


@pytest.mark.parametrize("sha256", ["", "ab12"])
def test_files_that_were_read_have_a_cell_which_names_them_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, sha256: str
) -> None:
    # given
    face = IPAdapter(picture=WHITE, reference="face", sha256=sha256, image_encoder=sha256)
    request = GenerationRequest(
        prompt="a style",
        loras=(Lora("ink", 0.8, sha256=sha256),),
        embeddings=(Embedding("style", sha256=sha256),),
        controls=(Control(picture=RED, reference="depth", sha256=sha256),),
        ip_adapters=(face,),
    )

    # when
    cell = as_cell(request, beside=BUILT_IN)

    # then
    assert "--lora ink:0.8 --embedding style --control" in cell
    assert "ab12" not in cell
    assert read_cell(cell) == without_hashes(request)
    assert run_python(as_python(request), monkeypatch) == request


@FEW
@given(request_=REQUESTS)
def test_code_gives_its_request_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request_: GenerationRequest
) -> None:
    assert run_python(as_python(request_), monkeypatch) == request_


@FEW
@given(request_=REQUESTS)
def test_code_may_take_pictures_from_another_request(
    monkeypatch: pytest.MonkeyPatch, request_: GenerationRequest
) -> None:
    monkeypatch.setattr(sdnb, "source", request_, raising=False)
    assert run_python(as_python(request_, source="sdnb.source"), monkeypatch) == request_


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest(prompt="a red circle", seed=7),
        GenerationRequest(prompt="two\nlines with 'quotes'", negative_prompt='blurry, "dark"'),
        GenerationRequest(prompt="negative: is a word here"),
        GenerationRequest(prompt="it ends so;"),
        GenerationRequest(prompt=">>> a doctest"),
        GenerationRequest(prompt=" spaces around "),
        GenerationRequest(prompt="--steps"),
        GenerationRequest(negative_prompt="blurry"),
        GenerationRequest(prompt=""),
    ],
)
def test_everyday_requests_have_a_cell(request_: GenerationRequest) -> None:
    beside = GenerationRequest(prompt="a default", negative_prompt="another", steps=7)
    assert read_cell(as_cell(request_, beside=beside), beside) == request_


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest(prompt="a {{name}} stays text"),
        GenerationRequest(prompt="a\n>>> doctest"),
        GenerationRequest(prompt="a\nnegative: b"),
        GenerationRequest(hooks=(HookUse("step", Choice("dim"), given=True),)),
    ],
)
def test_what_no_cell_can_say_has_none(
    request_: GenerationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert as_cell(request_, beside=BUILT_IN) == ""
    assert run_python(as_python(request_), monkeypatch) == request_


ROWS = (
    "sampler=euler,euler_ancestral eta=0.5",
    "cfg=1,4.5",
    "prompt=a cat, asleep|a dog",
)


def test_a_comparing_cell_gives_its_request_and_axes_back():
    # given
    request = GenerationRequest(prompt="a red circle", seed=7, width=64)

    # when
    line, _, body = comparison_as_cell(request, ROWS, beside=BUILT_IN).partition("\n")

    # then
    order = parse_cell(line.removeprefix("%%sd"), body, Order(), {})
    assert order.request == request
    assert order.axes == read_axes(ROWS)


@pytest.mark.parametrize("row", ["prompt=a\ncat|a dog", "prompt=a {{x}}|a dog"])
def test_axes_that_no_line_can_say_have_no_cell(row: str) -> None:
    assert comparison_as_cell(GenerationRequest(prompt="a"), [row], beside=BUILT_IN) == ""


def test_comparing_code_gives_its_request_and_axes_back(monkeypatch):
    # given
    def compare(_pipe: object, request: GenerationRequest, **fields: object) -> object:
        return request, fields

    monkeypatch.setattr(sdnb, "load", lambda *reference: reference, raising=False)
    monkeypatch.setattr(sdnb, "compare", compare, raising=False)
    request, names = GenerationRequest(prompt="a", seed=7), dict[str, Any]()

    # when
    exec(comparison_as_python(request, read_axes([*ROWS, "seed=1,none"])), names)

    # then
    assert names["comparison"] == (
        request,
        {
            "sampler": ["euler", "euler_ancestral eta=0.5"],
            "cfg_scale": [1.0, 4.5],
            "prompt": ["a cat, asleep", "a dog"],
            "seed": [1, None],
        },
    )
