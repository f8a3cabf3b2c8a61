"""Maps of a lab as a page takes them, and as pictures for a reader without a kernel."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PIL import Image as images
from PIL import ImageColor
from PIL.Image import Image, Resampling

from sdnb.panels.report import kept_picture

if TYPE_CHECKING:
    import sdnb.labs.grids

Stops = Sequence[tuple[float, str]]
"""Shares of a scale, 0 … 1, with their colours."""

_SIDE, _GAP = 64, 4
"""Pixels of a map that is kept, and between two of them."""


def grids_shown(
    grids: "sdnb.labs.grids.Grids",
    colours: Stops,
    ends: tuple[str, str],
    say: "Callable[[sdnb.labs.grids.Row], dict[str, object]]",
) -> dict[str, object]:
    """Return maps as a view of a board.

    Parameters
    ----------
    ends : (str, str)
        What the first and the last colour mean.
    say : callable
        Gives a row's label, alts and notes.
    """
    return {
        "kind": "grids",
        "name": "grids",
        "frames": grids.frames,
        "width": grids.width,
        "height": grids.height,
        "low": ends[0],
        "high": ends[1],
        "colours": [list(stop) for stop in colours],
        "rows": [say(row) for row in grids.rows],
    }


def last_tiles(
    grids: "sdnb.labs.grids.Grids", row: "sdnb.labs.grids.Row", colours: Stops
) -> list[Image]:
    """Return a row's maps of the last frame in their colours, at their own size."""
    size = grids.width * grids.height
    begin = (grids.frames - 1) * row.tiles * size
    cut = [row.data[begin + i * size : begin + (i + 1) * size] for i in range(row.tiles)]
    found = [images.frombytes("P", (grids.width, grids.height), each) for each in cut]
    for each in found:
        each.putpalette(_palette(colours))
    return [each.convert("RGB") for each in found]


def kept_row(
    grids: "sdnb.labs.grids.Grids", row: "sdnb.labs.grids.Row", said: str, colours: Stops
) -> str:
    """Return HTML of a row's maps of the last frame, side by side in one picture."""
    maps = last_tiles(grids, row, colours)
    laid = images.new("RGB", (len(maps) * (_SIDE + _GAP) - _GAP, _SIDE), "white")
    for index, each in enumerate(maps):
        laid.paste(each.resize((_SIDE, _SIDE), Resampling.NEAREST), (index * (_SIDE + _GAP), 0))
    return kept_picture(laid, said, said, width=laid.width)


def _palette(colours: Stops) -> bytes:
    """Return 256 colours along a scale, red, green and blue in turn."""
    stops = [(at, ImageColor.getrgb(colour)) for at, colour in colours]
    return bytes(channel for level in range(256) for channel in _between(stops, level / 255))


def _between(stops: Sequence[tuple[float, tuple[int, ...]]], at: float) -> list[int]:
    high = next(i for i, (place, _) in enumerate(stops) if place >= at)
    low = max(0, high - 1)
    (begin, first), (end, last) = stops[low], stops[high]
    share = 0.0 if end == begin else (at - begin) / (end - begin)
    return [round(a + share * (b - a)) for a, b in zip(first, last, strict=True)]
