"""Heatmaps, images and tables of a still picture."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import pairwise
from math import isfinite
from typing import Any

from PIL import Image
from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb

from sdnb.i18n import tr
from sdnb.plots.svg_axes import Axis, Panel, Plotted, number_text
from sdnb.plots.svg_text import Number, element, plain, text

_PICTURE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=\s]+")
_FEW = 20
"""Cells of a heatmap that are drawn one by one."""

Box = tuple[Number, Number, Number, Number]


def heatmap(trace: Plotted, panel: Panel) -> Iterator[str]:
    """One rectangle a cell, with its text where it has one; one picture of many even cells."""
    rows = [list(row) for row in trace.get("z") or ()]
    ys = cell_edges(trace.get("y"), len(rows), panel.y)
    xs = cell_edges(trace.get("x"), max(map(len, rows), default=0), panel.x)
    if len(rows) * (len(xs) - 1) > _FEW and not trace.get("texttemplate") and _even(xs, ys):
        yield _raster(trace, rows, xs, ys)
        return
    colour_of = colours_of(trace)
    for (top, bottom), row, index in zip(pairwise(ys), rows, range(len(rows)), strict=False):
        for (left, right), value, column in zip(pairwise(xs), row, range(len(row)), strict=False):
            if not isinstance(value, int | float) or not isfinite(value):
                continue
            edges = (min(left, right), min(top, bottom), abs(right - left), abs(bottom - top))
            yield _rectangle(edges, colour_of(value), trace.get("opacity"))
            if said := _cell_text(trace, value, index, column):
                centre = ((left + right) / 2, (top + bottom) / 2 + 4)
                ink = (trace.get("textfont") or {}).get("color")
                yield text(*centre, said, text_anchor="middle", font_size=10, fill=ink)


def _even(*edges: Sequence[float]) -> bool:
    """Whether all cells have one size."""
    sizes = [[abs(b - a) for a, b in pairwise(along)] for along in edges]
    return all(max(along) - min(along) < 0.01 * max(along) for along in sizes)


def _raster(
    trace: Plotted, rows: Sequence[Sequence[object]], xs: Sequence[float], ys: Sequence[float]
) -> str:
    """Draw a heatmap as a picture with a pixel for each cell."""
    low, high = value_range(trace)
    shades = sample_colorscale(_scale(trace), 256)
    palette = [(*(round(part) for part in unlabel_rgb(shade)), 255) for shade in shades]
    span = (high - low) or 1.0

    def pixel(value: object) -> tuple[int, ...]:
        if not isinstance(value, int | float) or not isfinite(value):
            return 0, 0, 0, 0
        return palette[round(255 * min(1.0, max(0.0, (value - low) / span)))]

    drawn = Image.new("RGBA", (len(xs) - 1, len(ys) - 1))
    drawn.putdata([pixel(value) for row in rows for value in row])
    if ys[0] > ys[-1]:
        drawn = drawn.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if xs[0] > xs[-1]:
        drawn = drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    style = "" if trace.get("zsmooth") else "image-rendering:pixelated;"
    style += f"opacity:{1 if trace.get('opacity') is None else trace['opacity']}"
    edges = (min(xs), min(ys), abs(xs[-1] - xs[0]), abs(ys[-1] - ys[0]))
    return picture(_png(drawn), edges, fitted="none", style=style)


def cell_edges(values: Sequence[object] | None, count: int, axis: Axis) -> list[float]:
    """Return the pixels between cells, from their centres."""
    if values is not None and len(values) == count + 1:
        return [edge for edge in map(axis.at, values) if edge is not None]
    numbers = [axis.at(value) for value in (range(count) if values is None else values)]
    centres = [number for number in numbers if number is not None]
    if len(centres) < 2:
        return [axis.begin, axis.end] if centres else []
    between = [(a + b) / 2 for a, b in pairwise(centres)]
    first, last = 2 * centres[0] - between[0], 2 * centres[-1] - between[-1]
    return [first, *between, last]


def colours_of(trace: Plotted) -> Callable[[Number], str]:
    """Return the colour scale of a heatmap, value to colour."""
    low, high = value_range(trace)
    scale = _scale(trace)

    def colour_of(value: Number) -> str:
        share = 0.5 if high == low else min(1.0, max(0.0, (value - low) / (high - low)))
        red, green, blue = unlabel_rgb(sample_colorscale(scale, [share])[0])
        return f"#{round(red):02x}{round(green):02x}{round(blue):02x}"

    return colour_of


# Plotly's colour scales: pairs of a share and a colour.
def _scale(trace: Plotted) -> list[Any]:
    scale = trace.get("colorscale") or "Viridis"
    stops = list(get_colorscale(scale) if isinstance(scale, str) else scale)
    return (
        [[1 - at, colour] for at, colour in reversed(stops)] if trace.get("reversescale") else stops
    )


def value_range(trace: Plotted) -> tuple[Number, Number]:
    """Return the ends of a heatmap's colour scale."""
    values = [v for row in trace.get("z") or () for v in row if isinstance(v, int | float)]
    values = [v for v in values if isfinite(v)] or [0.0, 1.0]
    low, high = trace.get("zmin"), trace.get("zmax")
    return (min(values) if low is None else low), (max(values) if high is None else high)


def image(trace: Plotted, panel: Panel) -> str:
    """Draw a picture whose pixels have places on the axes."""
    source, (width, height) = _source(trace)
    x0, y0 = trace.get("x0") or 0, trace.get("y0") or 0
    dx, dy = trace.get("dx") or 1, trace.get("dy") or 1
    xs = [panel.x.at(x0 + dx * (edge - 0.5)) for edge in (0, width)]
    ys = [panel.y.at(y0 + dy * (edge - 0.5)) for edge in (0, height)]
    left, right = sorted(x or 0.0 for x in xs)
    top, bottom = sorted(y or 0.0 for y in ys)
    style = "image-rendering:pixelated" if "source" not in trace else None
    edges = (left, top, right - left, bottom - top)
    return picture(source, edges, fitted="none", style=style)


def picture(source: object, edges: Box, *, fitted: str, style: str | None = None) -> str:
    """Embed a picture; only one that is itself in the text, none that would have to be fetched.

    ``fitted`` is SVG's ``preserveAspectRatio``.
    """
    if not isinstance(source, str) or not _PICTURE.fullmatch(source):
        return ""
    x, y, width, height = edges
    return element(
        "image",
        href=source,
        x=x,
        y=y,
        width=width,
        height=height,
        preserveAspectRatio=fitted,
        style=style,
    )


def table(trace: Plotted, box: Box, ink: str) -> Iterator[str]:
    """Draw rows of text under a header, as many as the box holds."""
    left, top, width, height = box
    header = list((trace.get("header") or {}).get("values") or ())
    columns = list((trace.get("cells") or {}).get("values") or ())
    count = max(map(len, columns), default=0)
    room = max(1, int(height / 22) - 1)
    shown = count if count <= room else room - 1
    column_width = width / max(1, len(columns))
    for index, column in enumerate(columns):
        x = left + index * column_width + 4
        title = _joined(header[index]) if index < len(header) else ""
        yield text(x, top + 15, title, font_weight="bold")
        for row, value in enumerate(column[:shown]):
            yield text(x, top + 37 + 22 * row, _joined(value))
    if shown < count:
        more = tr("plots.more_rows", count=count - shown)
        yield text(left + 4, top + 37 + 22 * shown, more)
    line = top + 21
    yield element("line", x1=left, x2=left + width, y1=line, y2=line, stroke=ink)


def heatmap_extent(trace: Plotted, along: str) -> list[object]:
    """Return the values that an axis has to show: the outer edges of the cells, or their names."""
    rows = trace.get("z") or ()
    count = len(rows) if along == "y" else max(map(len, rows), default=0)
    values = list(trace.get(along) or range(count))
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values) or len(values) != count:
        return values
    half = abs(numbers[-1] - numbers[0]) / (count - 1) / 2 if count > 1 else 0.5
    return [min(numbers) - half, *numbers, max(numbers) + half]


def image_extent(trace: Plotted, along: str) -> list[object]:
    """Return the outer edges of a picture's pixels."""
    _, size = _source(trace)
    count = size[0] if along == "x" else size[1]
    begin, step = trace.get(f"{along}0") or 0, trace.get(f"d{along}") or 1
    return [begin - step / 2, begin + step * (count - 0.5)]


def _cell_text(trace: Plotted, value: Number, row: int, column: int) -> str:
    template = trace.get("texttemplate")
    if not template:
        return ""
    texts = trace.get("text")
    if "%{text}" in template and texts:
        return str(texts[row][column])
    return number_text(value)


def _source(trace: Plotted) -> tuple[object, tuple[int, int]]:
    if source := trace.get("source"):
        if isinstance(source, str) and _PICTURE.fullmatch(source):
            with Image.open(BytesIO(b64decode(source.partition(",")[2]))) as opened:
                return source, opened.size
        return None, (1, 1)
    rows = trace.get("z") or [[[0, 0, 0]]]
    flat = [tuple(int(part) for part in pixel) for row in rows for pixel in row]
    drawn = Image.new("RGBA" if len(flat[0]) == 4 else "RGB", (len(rows[0]), len(rows)))
    drawn.putdata(flat)
    return _png(drawn), drawn.size


def _png(drawn: Image.Image) -> str:
    buffer = BytesIO()
    drawn.save(buffer, "PNG")
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def _rectangle(edges: Box, colour: object, opacity: Number | None) -> str:
    x, y, width, height = edges
    return element("rect", x=x, y=y, width=width, height=height, fill=colour, opacity=opacity)


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else plain(str(value))
