"""Pictures as the page takes them: small, as JPEG, many steps on one sheet."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from math import ceil, sqrt
from typing import TYPE_CHECKING

from PIL import Image as images
from PIL.Image import Image

if TYPE_CHECKING:
    import sdnb.labs.seen

WIDEST = 512
"""Pixels of a picture's longer side on the page, at most."""


def jpeg(picture: Image, *, widest: int = WIDEST, quality: int = 85) -> bytes:
    """Return a picture as JPEG, made smaller if need be."""
    small = picture.convert("RGB")
    if max(small.size) > widest:
        small = small.copy()
        small.thumbnail((widest, widest))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def data_url(data: bytes) -> str:
    """Return a JPEG as the address of an image."""
    return f"data:image/jpeg;base64,{b64encode(data).decode()}"


def film_shown(film: "sdnb.labs.seen.Film", number: int) -> dict[str, object]:
    """Return a film as `Surface.strip` and `Surface.film` take it; ``number`` tells it apart."""
    strip, columns = sheet(film.frames)
    width, height = film.frames[0].size
    about = {
        "number": number,
        "count": len(film.frames),
        "width": width,
        "height": height,
        "columns": columns,
        "sigmas": list(film.sigmas),
        "exact": sorted(film.exact),
        "begin": film.begin,
        "reach": film.reach,
    }
    return {"strip": strip, "film": about}


def image(address: str, alt: str, style: str) -> str:
    """Return HTML of a picture with its alternative text."""
    return f'<img alt="{escape(alt)}" src="{address}" style="{style}">'


def sheet(frames: Sequence[Image]) -> tuple[bytes, int]:
    """Lay frames of one size on a sheet; return it as JPEG, and how many stand in a row."""
    columns = ceil(sqrt(len(frames)))
    return jpeg(_laid(frames, columns), widest=16383, quality=82), columns


def row(frames: Sequence[Image], count: int = 8) -> bytes:
    """Lay some frames, evenly spaced, side by side."""
    count = min(count, len(frames))
    chosen = [frames[round(i * (len(frames) - 1) / max(1, count - 1))] for i in range(count)]
    return jpeg(_laid(chosen, count), widest=96 * count, quality=82)


def _laid(frames: Sequence[Image], columns: int) -> Image:
    width, height = frames[0].size
    laid = images.new("RGB", (columns * width, ceil(len(frames) / columns) * height))
    for index, frame in enumerate(frames):
        laid.paste(frame, (index % columns * width, index // columns * height))
    return laid
