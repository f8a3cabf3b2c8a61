"""Errors say four things, survive pickling, and draw themselves shortly."""

import pickle
from pathlib import Path

import pytest

from sdnb.errors import InvalidField, LoadError, UnknownName, reason_of
from sdnb.models.folder import _read
from sdnb.picture import Picture


def test_an_error_says_all_four_parts():
    error = InvalidField("it failed.", given=3, allowed="1 or 2", fix="use 2")
    assert str(error).splitlines() == [
        "it failed.",
        "  given:   3",
        "  allowed: 1 or 2",
        "  fix:     use 2",
    ]


def test_an_error_travels_between_processes_whole():
    error = UnknownName.among("sampler", "eulr", ["heun", "euler"])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is UnknownName
    assert str(copy) == str(error)


def test_a_notebook_shows_no_traceback():
    assert InvalidField("no.")._render_traceback_() == ["InvalidField: no."]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"{}"])
def test_broken_bytes_are_named_by_what_they_are_not(tmp_path: Path, content: bytes):
    (tmp_path / "a.png").write_bytes(content)
    for read in (lambda: Picture.decode(content), lambda: Picture.read(tmp_path / "a.png")):
        with pytest.raises(InvalidField, match="cannot be read") as caught:
            read()
        assert "BytesIO" not in str(caught.value)
        assert str(tmp_path) not in caught.value.what


def test_what_happened_names_a_file_without_its_folders(tmp_path: Path):
    # a picture of a comparison keeps what happened to a cell, and is handed on
    with pytest.raises(LoadError) as caught:
        _read(tmp_path / "config.json")
    assert str(tmp_path) not in caught.value.what
    assert str(tmp_path) in caught.value.given
    folder = tmp_path / "model"
    error = ValueError(f"{folder}/vae/config.json is missing")
    assert reason_of(error, folder) == "model/vae/config.json is missing"
