"""A figure as a small SVG, without plotly's script, a browser or a network.

For figures made of scatter, bar, heatmap, image and table traces, with subplots, linear, log and
category axes, legends, annotations, shapes and pictures, and of points in space as they are seen
from one side; hover and zoom stay plotly's. Text is
escaped, and only pictures that lie in the figure itself are taken.
"""

from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

from sdnb.errors import InvalidField
from sdnb.plots import svg_bars, svg_cells, svg_frame, svg_scatter
from sdnb.plots.svg_axes import Panel
from sdnb.plots.svg_layout import Drawn, Layout
from sdnb.plots.svg_scene import flattened
from sdnb.plots.svg_text import attributes

KINDS = ("scatter", "scattergl", "bar", "heatmap", "image", "table")
_LATER = {"heatmap": 0, "image": 0, "bar": 1}  # lines and points lie on top
_ROOM = 6.0
"""Pixels that points may reach over their axes."""


def to_svg(figure: go.Figure) -> str:
    """Draw a figure as SVG.

    Raises
    ------
    InvalidField
        For a trace of another kind, such as a surface.
    """
    values = flattened(_plain(figure.to_plotly_json()))
    unknown = {trace.get("type") or "scatter" for trace in values["data"]} - {*KINDS}
    if unknown:
        raise InvalidField(
            "this kind of trace has no still picture.",
            given=", ".join(sorted(unknown)),
            allowed=", ".join((*KINDS, "scatter3d")),
            fix="show it with plotly's own renderer",
        )
    layout = Layout(values)
    opening = attributes(
        xmlns="http://www.w3.org/2000/svg",
        width=layout.width,
        height=layout.height,
        viewBox=f"0 0 {layout.width:g} {layout.height:g}",
        role="img",
        aria_label=layout.alt,
        font_family="system-ui, sans-serif",
        font_size=layout.font_size,
        fill=layout.ink,
        style="max-width:100%;height:auto",
    )
    return f"<svg{opening}>{''.join(_parts(layout))}</svg>"


def _parts(layout: Layout) -> Iterator[str]:
    yield from svg_frame.title(layout)
    yield from svg_frame.shapes(layout, "below")
    yield from svg_frame.axes(layout)
    yield from svg_frame.pictures(layout)
    for drawn in sorted(layout.traces, key=lambda drawn: _LATER.get(drawn.kind, 2)):
        yield _trace(layout, drawn)
    yield from svg_frame.shapes(layout, "above")
    yield from svg_frame.annotations(layout)
    yield from svg_frame.legend(layout)
    yield from svg_frame.colour_bar(layout)


def _trace(layout: Layout, drawn: Drawn) -> str:
    if drawn.kind == "table":
        return "".join(svg_cells.table(drawn.trace, layout.domain(drawn.trace), layout.ink))
    panel = layout.panel(drawn.trace)
    return _inside(panel, _content(layout, drawn, panel))


def _content(layout: Layout, drawn: Drawn, panel: Panel) -> Iterable[str]:
    match drawn.kind:
        case "bar":
            slot, bases = layout.slot(drawn), layout.bases(drawn)
            return svg_bars.bars(drawn.trace, panel, drawn.colour, bases, slot)
        case "heatmap":
            return svg_cells.heatmap(drawn.trace, panel)
        case "image":
            return svg_cells.image(drawn.trace, panel)
    return svg_scatter.scatter(drawn.trace, panel, drawn.colour)


def _inside(panel: Panel, content: Iterable[str]) -> str:
    """Cut off what reaches over the axes: an inner SVG shows nothing outside of it."""
    left, right = sorted((panel.x.begin, panel.x.end))
    top, bottom = sorted((panel.y.begin, panel.y.end))
    width, height = right - left + 2 * _ROOM, bottom - top + 2 * _ROOM
    x, y = left - _ROOM, top - _ROOM
    box = " ".join(f"{edge:.2f}" for edge in (x, y, width, height))
    place = attributes(x=x, y=y, width=width, height=height, viewBox=box)
    return f"<svg{place}>{''.join(content)}</svg>"


# What plotly holds: dictionaries, lists, arrays, numbers, texts.
def _plain(value: Any) -> Any:
    """Return a value with lists in the place of arrays (packed in base64, or not) and tuples."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(b64decode(value["bdata"]), dtype=value["dtype"])
        shape = [int(size) for size in str(value.get("shape") or len(flat)).split(",")]
        return flat.reshape(shape).tolist()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
