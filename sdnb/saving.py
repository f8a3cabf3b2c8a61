"""Files that are written whole or not at all, and never over another."""

import os
from collections.abc import Callable, Iterator
from itertools import chain, count
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from sdnb.errors import InvalidField


def save_new(path: str | Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Write a file at the first free name; an existing one is never replaced.

    Parameters
    ----------
    path : str or Path
        Where to; ``cat.png`` becomes ``cat-2.png`` if there is one already. The folder is made.
    write : callable
        Writes the content into an open file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidField
        When the file cannot be written; what was there before is untouched.
    """
    wanted = Path(path)
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        return _place(_write_aside(write, wanted.parent), wanted)
    except OSError as error:
        raise InvalidField(
            f"the picture could not be written: {error.strerror or error}.",
            given=str(wanted),
            allowed="a file in a folder that can be written to, with space left",
            fix="save to another folder, for example %sd save pictures",
        ) from error


def _write_aside(write: Callable[[IO[bytes]], object], folder: Path) -> Path:
    """Write a complete file beside its place, so that a full disk leaves nothing half done."""
    with NamedTemporaryFile(dir=folder, prefix=".sdnb-", suffix=".part", delete=False) as file:
        aside = Path(file.name)
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:  # an interrupt too must not leave the part behind
            aside.unlink()
            raise
    return aside


def _place(aside: Path, wanted: Path) -> Path:
    """Move a finished file to the first free name."""
    try:
        place = next(name for name in _names(wanted) if _reserve(name))
        aside.chmod(place.stat().st_mode)  # a temporary file is its owner's alone
        return aside.replace(place)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


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
