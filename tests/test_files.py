"""Files are whole or not there."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from sdnb.errors import InvalidField
from sdnb.files import replace_whole, save_new, write_new

WRITERS = [replace_whole, write_new]
Writer = Callable[[Path, bytes], Path]


def full(*_args: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt(*_args: object) -> None:
    raise KeyboardInterrupt


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_written_is_there_and_nothing_else(tmp_path: Path, write: Writer) -> None:
    assert write(tmp_path / "cat.png", b"cat") == tmp_path / "cat.png"
    assert content(tmp_path) == {"cat.png": b"cat"}


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match="could not be written"):
        save_new(tmp_path / "a\0.json", b"cat")
    assert content(tmp_path) == {}


def test_a_file_is_replaced_where_that_is_wanted(tmp_path: Path) -> None:
    # given
    (tmp_path / "cat.png").write_bytes(b"old")
    # when
    replace_whole(tmp_path / "cat.png", b"new")
    # then
    assert content(tmp_path) == {"cat.png": b"new"}


def test_else_the_next_name_is_taken(tmp_path: Path) -> None:
    # given
    (tmp_path / "cat.png").write_bytes(b"old")
    # when
    paths = [write_new(tmp_path / "cat.png", data) for data in (b"a", b"b")]
    # then
    assert [path.name for path in paths] == ["cat-2.png", "cat-3.png"]
    assert content(tmp_path) == {"cat.png": b"old", "cat-2.png": b"a", "cat-3.png": b"b"}


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (replace_whole, "os.fsync"),
        (replace_whole, "pathlib.Path.replace"),
        (write_new, "os.fsync"),
        (write_new, "pathlib.Path.chmod"),
        (write_new, "pathlib.Path.replace"),
    ],
)
@pytest.mark.parametrize("failure", [full, interrupt])
def test_a_failure_at_any_point_leaves_what_was_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Writer,
    place: str,
    failure: Callable[..., None],
) -> None:
    # given
    (tmp_path / "cat.png").write_bytes(b"old")
    monkeypatch.setattr(place, failure)
    # when
    with pytest.raises((OSError, KeyboardInterrupt)):
        write(tmp_path / "cat.png", b"new")
    # then
    assert content(tmp_path) == {"cat.png": b"old"}
