"""The files of the history's pictures: written, deleted, and swept after a killed process.

Which of them are listed is in `sdnb.records.database`; how they are read, in
`sdnb.records.entries`.
"""

import re
import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sdnb import picture_file
from sdnb.errors import HistoryError

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdnb.result import Result

THUMBNAIL = 96
"""Pixels of a thumbnail's longer side."""

_STRAY = 3600.0  # seconds: what is unfinished and older was left by a killed process
_PART = re.compile(r"[0-9a-f]{2}/\.sdnb-\w+\.part")
_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{12}-[0-9a-f]{6}\.png")


def write_picture(result: "Result", index: int, folder: Path) -> Path:
    """Save a picture of a result in a history's folder, under a name that nobody has."""
    place = folder / "pictures" / result.id[:2] / f"{result.id}-{uuid4().hex[:6]}.png"
    image, facts = result.images[index], result.recorded
    return picture_file.write(image, place, result.request, index=index, facts=facts)


def small_picture(image: "Image") -> bytes:
    """Return a WebP of at most `THUMBNAIL` pixels a side."""
    small, buffer = image.copy(), BytesIO()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def delete_files(files: Iterable[Path]) -> None:
    """Delete pictures; raises `HistoryError` at the end where one could not be."""
    failed: dict[Path, OSError] = {}
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            failed[file] = error
    for file, reason in failed.items():
        raise HistoryError(
            f"a picture of the history could not be deleted: {reason.strerror or reason}.",
            given=str(file),
            allowed="files in a folder that can be written to",
            fix="delete it by hand",
        ) from reason


def sweep(folder: Path) -> None:
    """Delete what a killed process left unfinished: parts of files, and names that it reserved.

    A whole picture stays, whether the database knows it or not: it may be all that is left of a
    database that broke, or newer than the backup that took its place.
    """
    pictures = folder / "pictures"
    for file in pictures.glob("*/*"):
        name = file.relative_to(pictures).as_posix()
        try:
            told = file.lstat()
            is_unfinished = _PART.fullmatch(name) or (_NAME.fullmatch(name) and not told.st_size)
            if is_unfinished and time.time() - told.st_mtime > _STRAY:
                file.unlink()
        except OSError:  # another process was faster
            continue
