"""A request as a cell and as Python: read back, it is the same request."""

import pytest
from PIL import Image

import sdnb
from sdnb.magics.parse import Order, parse_cell
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.request import GenerationRequest
from sdnb.written import as_cell, as_python, input_files

REQUESTS = [
    GenerationRequest(prompt="a red circle", seed=7),
    GenerationRequest(
        prompt="two\nlines with 'quotes' and \"more\"",
        negative_prompt='blurry, "dark"',
        seed=2**63,
        width=64,
        height=128,
        cfg_scale=7.5,
        sampler="euler_ancestral eta=0.5",
        schedule="karras rho=5",
        denoise=0.6,
        loras=("a b.safetensors:0.8", "c.safetensors:1:0.5"),
    ),
    GenerationRequest(prompt="negative: is a word here"),
    GenerationRequest(prompt="it ends so;"),
    GenerationRequest(prompt=""),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_cell_gives_its_request_back(request_):
    # when
    line, _, body = as_cell(request_).partition("\n")

    # then
    order = parse_cell(line.removeprefix("%%sd"), body, Order(), {})
    assert order.request == request_


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_call_gives_its_request_back(monkeypatch, request_):
    # given
    class Pipe:
        def run(self, prompt, **fields):
            return GenerationRequest(prompt=prompt, **fields)

    monkeypatch.setattr(sdnb, "load", lambda _reference: Pipe(), raising=False)
    names = {}

    # when
    exec(as_python(request_), names)

    # then
    assert names["result"] == request_


def test_pictures_are_read_from_the_files_that_are_named(tmp_path, monkeypatch):
    # given
    picture, mask = (Picture.of(Image.new("RGB", (8, 8), colour)) for colour in ("red", "white"))
    requests = [
        GenerationRequest(prompt="a", start=start)
        for start in (FromImage(picture), Inpaint(picture, mask))
    ]
    monkeypatch.chdir(tmp_path)

    for request in requests:
        # when
        for name, png in input_files(request).items():
            (tmp_path / name).write_bytes(png)
        line, _, body = as_cell(request).partition("\n")

        # then
        assert parse_cell(line.removeprefix("%%sd"), body, Order(), {}).request == request
        assert all(name in as_python(request) for name in input_files(request))
