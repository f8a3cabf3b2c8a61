"""Bars of a still picture: side by side or stacked, standing or lying."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from sdnb.plots.svg_axes import Panel, Plotted
from sdnb.plots.svg_scatter import each
from sdnb.plots.svg_text import Number, element, text


def bars(
    trace: Plotted, panel: Panel, colour: str, bases: Sequence[Number], slot: tuple[Number, Number]
) -> Iterator[str]:
    """Bars with their texts; ``slot`` is begin and width of one, as shares of its place."""
    places, lengths = bar_values(trace)
    marker = trace.get("marker") or {}
    fills = each(marker.get("color"), len(lengths), colour)
    said = each(trace.get("text"), len(lengths), "")
    lies = is_horizontal(trace)
    across, along = (panel.y, panel.x) if lies else (panel.x, panel.y)
    unit = (across.pixel(1.0) - across.pixel(0.0)) * _spacing(places)
    thick = slot[1] * abs(unit)
    for place, length, base, fill, words in zip(places, lengths, bases, fills, said, strict=True):
        middle, end = across.at(place), along.at(base + (length or 0))
        begin = along.at(base)
        if middle is None or end is None:
            continue
        begin = along.begin if begin is None else begin
        edge = middle + (slot[0] - 0.5) * unit - (thick if unit < 0 else 0.0)
        near, long = min(begin, end), abs(end - begin)
        x, y, width, height = (near, edge, long, thick) if lies else (edge, near, thick, long)
        opacity = trace.get("opacity")
        yield element("rect", x=x, y=y, width=width, height=height, fill=fill, opacity=opacity)
        if words:
            where = (end + 4, edge + thick / 2 + 4) if lies else (edge + thick / 2, end - 4)
            yield text(*where, str(words), text_anchor="start" if lies else "middle", font_size=11)


def bar_values(trace: Plotted) -> tuple[list[Any], list[Any]]:
    """Return where bars stand and how long they are."""
    keys = ("y", "x") if is_horizontal(trace) else ("x", "y")
    lengths = list(trace.get(keys[1]) or ())
    return list(trace.get(keys[0]) or range(len(lengths))), lengths


def _spacing(places: Sequence[object]) -> float:
    """Return the room of a bar: the least distance of numbers; names are one apart."""
    numbers = sorted({place for place in places if isinstance(place, int | float)})
    return min((b - a for a, b in pairwise(numbers)), default=1.0)


def is_horizontal(trace: Plotted) -> bool:
    """Whether bars lie."""
    return trace.get("orientation") == "h"


def extent(trace: Plotted, along: str, bases: Sequence[Number]) -> list[object]:
    """Return the values that an axis has to show: 0 and the ends, or the bars' places."""
    places, lengths = bar_values(trace)
    if (along == "x") != is_horizontal(trace):
        half = _spacing(places) / 2
        numbers = [place for place in places if isinstance(place, int | float)]
        return [*places, *(edge for n in numbers for edge in (n - half, n + half))]
    room = 1.15 if trace.get("text") else 1.05  # for what stands at the end
    ends = (start + (length or 0) for start, length in zip(bases, lengths, strict=True))
    return [0.0, *(room * end for end in ends)]
