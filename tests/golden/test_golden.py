"""What others rely on has not changed unseen."""

import dataclasses
import json
from pathlib import Path

import pytest

from sdnb.request import GenerationRequest
from tests.golden.make import HERE, REQUEST, make

NAMES = ("help.txt", "png_parameters.txt", "png_sdnb.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    make(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_format_is_as_agreed_on(made: Path, name: str) -> None:
    agreed = (HERE / name).read_text(encoding="utf-8")
    assert (made / name).read_text(encoding="utf-8") == agreed, "python -m tests.golden.make"


def test_every_format_has_its_file(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == set(NAMES)


def test_what_was_saved_once_is_read_for_ever() -> None:
    # given
    values = json.loads((HERE / "png_sdnb_v1.json").read_text(encoding="utf-8"))
    # when
    request = GenerationRequest.from_json(values["request"])
    # then
    later = {"hires": None, "loras": (), "embeddings": (), "controls": (), "ip_adapters": ()}
    assert request == REQUEST.changed(**later)


def test_what_was_saved_once_is_never_written_anew(made: Path) -> None:
    assert not (made / "png_sdnb_v1.json").exists()


def test_every_field_is_written() -> None:
    # given
    fields = dataclasses.fields(GenerationRequest)
    # when
    unset = [field.name for field in fields if getattr(REQUEST, field.name) == field.default]
    # then
    assert unset == ["strength"]  # it and denoise exclude each other
