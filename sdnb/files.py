"""Files that are whole or not there: written aside, then moved to their place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from tempfile import NamedTemporaryFile

from sdnb.errors import InvalidField, SdnbError, reason_of


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; no, too, where no file can have such a name."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def typed_path(text: str | Path) -> Path:
    """Return the path that is typed; ``~`` is a home where there is such a user, else a name."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def replace_whole(path: Path, data: bytes) -> Path:
    """Write a file in the place of the one that is there, which stays whole until then."""
    with _aside(path.parent, data) as written:
        return written.replace(path)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file to be written beside a place, which it takes once it is whole.

    For what writes files itself. Raises `InvalidField` where that fails, for whatever reason;
    nothing is left behind then, and what was there before is untouched.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: torch's, of a full disk
        raise unwritten(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def reserved(path: Path) -> Iterator[Path]:
    """Take the first free name: ``cat.png``, else ``cat-2.png``; without success it is let go."""
    place = next(name for name in _names(path) if _reserve(name))
    try:
        yield place
    except BaseException:  # an interrupt too must not leave an empty file behind
        place.unlink()
        raise


@contextmanager
def new_file(wanted: Path) -> Iterator[Path]:
    """Give the first free name, as `reserved` does, of a user's file; its folder is made.

    For what writes files itself. Raises `InvalidField` where it cannot be written.
    """
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        with reserved(wanted) as place:
            yield place
    except SdnbError:  # it is said already
        raise
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise unwritten(wanted, error) from error


def save_new(path: str | Path, data: bytes) -> Path:
    """Save a user's file under the first free name; its folder is made.

    Raises `InvalidField` when it cannot be written; what was there before is untouched.
    """
    wanted = Path(path)
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        return write_new(wanted, data)
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise unwritten(wanted, error) from error


def unwritten(path: Path, error: Exception) -> InvalidField:
    """Return the error of a user's file that could not be written."""
    return InvalidField(
        f"the file could not be written: {reason_of(error)}.",
        given=str(path),
        allowed="a file in a folder that can be written to, with space left",
        fix="save to another folder, such as one beside the notebook",
    )


def write_new(path: Path, data: bytes) -> Path:
    """Write a file under the first free name: ``cat.png``, else ``cat-2.png``; returns where.

    A failure or an interrupt leaves nothing behind.
    """
    with _aside(path.parent, data) as written, reserved(path) as place:
        written.chmod(place.stat().st_mode)  # a temporary file is its owner's alone
        return written.replace(place)


@contextmanager
def _aside(folder: Path, data: bytes) -> Iterator[Path]:
    """Give a complete file beside its place; it is taken away unless it was moved."""
    with NamedTemporaryFile(dir=folder, prefix=".sdnb-", suffix=".part", delete=False) as file:
        aside = Path(file.name)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            yield aside
        finally:
            aside.unlink(missing_ok=True)


def _names(wanted: Path) -> Iterator[Path]:
    numbered = (wanted.with_stem(f"{wanted.stem}-{number}") for number in count(2))
    return chain([wanted], numbered)


def _reserve(path: Path) -> bool:
    """Take the name, atomically, if nobody has it."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def data_folder() -> Path:
    """Return the folder of what the user made, whether it exists or not.

    The one that ``SDNB_DATA`` names, else ``sdnb`` under ``XDG_DATA_HOME``, else
    ``~/.local/share/sdnb``.
    """
    if folder := os.environ.get("SDNB_DATA"):
        return Path(folder)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "sdnb"


def config_folder() -> Path:
    """Return the folder of the user's settings, whether it exists or not.

    The one that ``SDNB_CONFIG`` names, else ``sdnb`` under ``XDG_CONFIG_HOME``, else
    ``~/.config/sdnb``.
    """
    if folder := os.environ.get("SDNB_CONFIG"):
        return Path(folder)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "sdnb"
