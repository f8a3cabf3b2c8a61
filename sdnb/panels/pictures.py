"""Pictures as the page takes them: small, as JPEG, many steps on one sheet."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from math import ceil, sqrt
from typing import TYPE_CHECKING

from PIL import Image as images
from PIL.Image import Image

if TYPE_CHECKING:
    import sdnb.labs.seen
    import sdnb.plots.figure

WIDEST = 512
"""Pixels of a picture's longer side on the page, at most."""

STILL = 560
"""Pixels of a plot's width: about what it has room for, so that its words can be read."""


def jpeg(picture: Image, *, widest: int = WIDEST, quality: int = 85) -> bytes:
    """Return a picture as JPEG, made smaller if need be."""
    buffer = BytesIO()
    fitted(picture, widest).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def data_url(data: bytes, kind: str = "jpeg") -> str:
    """Return a picture's bytes as the address of an image."""
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


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
        "first": film.first,
        "reach": film.reach,
        "times": list(film.times),
        "at": film.at,
    }
    return {"strip": strip, "film": about}


def sheet(frames: Sequence[Image]) -> tuple[bytes, int]:
    """Lay frames of one size on a sheet; return it as JPEG, and how many stand in a row."""
    columns = ceil(sqrt(len(frames)))
    return jpeg(_laid(frames, columns), widest=16383, quality=82), columns


def slots(frames: Sequence[Image | None], *, widest: int) -> tuple[bytes, dict[str, object]]:
    """Lay frames of any sizes on a sheet, each at the corner of its slot; None leaves one empty.

    Returns it as JPEG; the ``columns``, the ``width`` and ``height`` of a slot; the frames' sizes.
    """
    small = [frame and fitted(frame, widest) for frame in frames]
    columns = ceil(sqrt(len(frames)))
    width = max((frame.width for frame in small if frame), default=1)
    height = max((frame.height for frame in small if frame), default=1)
    laid = images.new("RGB", (columns * width, ceil(len(frames) / columns) * height))
    for index, frame in enumerate(small):
        if frame is not None:
            laid.paste(frame, (index % columns * width, index // columns * height))
    sizes = [frame and frame.size for frame in small]
    shape: dict[str, object] = {"columns": columns, "width": width, "height": height}
    return jpeg(laid, widest=max(laid.size)), {**shape, "sizes": sizes}


def fitted(picture: Image, widest: int) -> Image:
    """Return a picture as RGB, made smaller if need be."""
    small = picture.convert("RGB")
    if max(small.size) > widest:
        small = small.copy()
        small.thumbnail((widest, widest))
    return small


def image_html(data: bytes, alt: str, style: str, *, kind: str = "jpeg") -> str:
    """Return HTML of a picture with its alternative text."""
    return f'<img alt="{escape(alt)}" src="{data_url(data, kind)}" style="{style}">'


def still_view(
    name: str, figure: "sdnb.plots.figure.Figure", width: int = STILL
) -> dict[str, object]:
    """Return a plot as a view of a board: drawn once, with its words; hover stays plotly's."""
    from sdnb.plots.static import to_svg  # not before: the studio opens without plotly

    figure.update_layout(width=width)
    source = data_url(to_svg(figure).encode(), "svg+xml")
    return {"kind": "still", "name": name, "source": source, "alt": figure.alt}


def kept_still(view: Mapping[str, object]) -> str:
    """Return HTML of what `still_view` shows, for a reader without a kernel."""
    alt, source = escape(str(view["alt"])), view["source"]
    return f'<div><img alt="{alt}" src="{source}" style="max-width:100%"></div>'


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
