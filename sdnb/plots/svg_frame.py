"""What stands around the traces of a still picture: axes, legend, notes, shapes, pictures."""

from collections.abc import Iterator

from sdnb.plots.svg_axes import Axis, Plotted, number_text
from sdnb.plots.svg_cells import colours_of, picture, value_range
from sdnb.plots.svg_layout import COLOUR_BAR, SMALL, Layout
from sdnb.plots.svg_scatter import sample, stroke_of
from sdnb.plots.svg_text import element, text, width_of
from sdnb.plots.theme import GRID

_FITTED = {"stretch": "none", "fill": "xMidYMid slice"}


def title(layout: Layout) -> Iterator[str]:
    """Write the figure's title at its top left."""
    said, size = layout.title.get("text"), (layout.title.get("font") or {}).get("size") or 15
    if said:
        yield text(10.0, 10.0 + size, str(said), font_size=size)


def axes(layout: Layout) -> Iterator[str]:
    """Draw grids, axis lines, ticks and the names of the axes."""
    for name, axis in layout.axes.items():
        crossed = layout.crossed(name)
        if crossed is None or axis.options.get("visible") is False:
            continue
        draw = _horizontal if name[0] == "x" else _vertical
        yield from draw(axis, crossed, layout.ink)


def _horizontal(axis: Axis, crossed: Axis, ink: str) -> Iterator[str]:
    foot, head = crossed.begin, crossed.end
    ticks = axis.ticks()
    if axis.options.get("showgrid") is not False and axis.kind != "category":
        yield from (element("line", x1=p, x2=p, y1=foot, y2=head, stroke=GRID) for p, _ in ticks)
    if axis.options.get("showline") is not False:
        yield element("line", x1=axis.begin, x2=axis.end, y1=foot, y2=foot, stroke=ink)
    is_labelled = axis.options.get("showticklabels") is not False
    turn = -35 if is_labelled and _is_crowded(axis, ticks) else 0
    for place, label in ticks if is_labelled else ():
        yield element("line", x1=place, x2=place, y1=foot, y2=foot + 4, stroke=ink)
        anchor = "end" if turn else "middle"
        yield text(place, foot + 16, label, turn=turn, text_anchor=anchor, font_size=SMALL)
    if said := (axis.options.get("title") or {}).get("text"):
        lower = 14.0 * max((label.count("<br>") for _, label in ticks), default=0)
        if turn:
            lower = 0.5 * max(width_of(label, SMALL) for _, label in ticks)
        yield text((axis.begin + axis.end) / 2, foot + 34 + lower, said, text_anchor="middle")


def _vertical(axis: Axis, crossed: Axis, ink: str) -> Iterator[str]:
    side, far = crossed.begin, crossed.end
    is_right = axis.options.get("side") == "right"
    if is_right:
        side, far = far, side
    out = 1 if is_right else -1
    ticks = axis.ticks()
    if axis.options.get("showgrid") is not False and axis.kind != "category":
        yield from (element("line", x1=side, x2=far, y1=p, y2=p, stroke=GRID) for p, _ in ticks)
    if axis.options.get("showline") is not False:
        yield element("line", x1=side, x2=side, y1=axis.begin, y2=axis.end, stroke=ink)
    is_labelled = axis.options.get("showticklabels") is not False
    for place, label in ticks if is_labelled else ():
        yield element("line", x1=side, x2=side + 4 * out, y1=place, y2=place, stroke=ink)
        anchor = "start" if is_right else "end"
        yield text(side + 7 * out, place + 4, label, text_anchor=anchor, font_size=SMALL)
    if said := (axis.options.get("title") or {}).get("text"):
        widest = max((width_of(label, SMALL) for _, label in ticks), default=0.0)
        x = side + (widest * is_labelled + 20) * out
        yield text(x, (axis.begin + axis.end) / 2, said, turn=-90, text_anchor="middle")


def _is_crowded(axis: Axis, ticks: list[tuple[float, str]]) -> bool:
    room = abs(axis.end - axis.begin) / max(1, len(ticks))
    return max((width_of(label, SMALL) for _, label in ticks), default=0.0) > room


def legend(layout: Layout) -> Iterator[str]:
    """Name the traces, at the right of the plots."""
    left, top, width, _ = layout.area
    x = left + width + 16 + COLOUR_BAR * layout.has_colour_bar()
    title = layout.legend_title
    if title:
        yield text(x, top + 4, title)
    for index, drawn in enumerate(layout.legend):
        y = top + 8 + (index + bool(title)) * (layout.font_size + 6)
        yield from sample(drawn.trace, x, y, drawn.colour)
        yield text(x + 32, y + 4, str(drawn.trace["name"]))


def colour_bar(layout: Layout) -> Iterator[str]:
    """Show what the colours of the first heatmap mean."""
    left, top, width, height = layout.area
    heatmaps = [drawn.trace for drawn in layout.traces if drawn.kind == "heatmap"]
    if not layout.has_colour_bar():
        return
    colour_of, (low, high) = colours_of(heatmaps[0]), value_range(heatmaps[0])
    x, count = left + width + 12, 32
    for step in range(count):
        fill = colour_of(high - (step + 0.5) / count * (high - low))
        y, tall = top + step / count * height, height / count + 0.5
        yield element("rect", x=x, y=y, width=12, height=tall, fill=fill)
    said = ((heatmaps[0].get("colorbar") or {}).get("title") or {}).get("text")
    if said:
        yield text(x, top - 7, str(said), font_size=SMALL)
    for value, y in ((high, top + 9), (low, top + height)):
        yield text(x + 16, y, number_text(value), font_size=SMALL)


def shapes(layout: Layout, layer: str) -> Iterator[str]:
    """Draw the lines and rectangles of the layout that lie below or above the traces."""
    for shape in layout.several("shapes"):
        if (shape.get("layer") or "above") == layer and shape.get("visible") is not False:
            yield _shape(layout, shape)


def _shape(layout: Layout, shape: Plotted) -> str:
    ends = [_ends(layout, shape, along) for along in ("x", "y")]
    if None in ends:
        return ""
    (x0, x1), (y0, y1) = (pair or (0.0, 0.0) for pair in ends)
    line = shape.get("line") or {}
    paint = {**stroke_of(line, line.get("color") or layout.ink), "opacity": shape.get("opacity")}
    if shape.get("type") == "line":
        return element("line", x1=x0, x2=x1, y1=y0, y2=y1, **paint)
    x, y, width, height = min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)
    fill = shape.get("fillcolor") or "none"
    return element("rect", x=x, y=y, width=width, height=height, fill=fill, **paint)


def _ends(layout: Layout, shape: Plotted, along: str) -> tuple[float, float] | None:
    """Return the ends of a shape in one direction, cut to the axis; None where it is outside."""
    reference = _reference(shape, along, along)
    ends = [layout.pixel(shape.get(f"{along}{k}"), reference, is_shape=True) for k in (0, 1)]
    low, high = layout.stretch(reference)
    inside = [min(high, max(low, end)) for end in ends if end is not None]
    beyond = [cut for cut, end in zip(inside, ends, strict=False) if cut != end]
    is_outside = len(beyond) == 2 and beyond[0] == beyond[1]
    return None if len(inside) < 2 or is_outside else (inside[0], inside[1])


def annotations(layout: Layout) -> Iterator[str]:
    """Write the notes of the layout; arrows are left out."""
    for note in layout.several("annotations"):
        x = layout.pixel(note.get("x"), _reference(note, "x", "x paper"))
        y = layout.pixel(note.get("y"), _reference(note, "y", "y paper"))
        if note.get("visible") is False or x is None or y is None:
            continue
        size = float((note.get("font") or {}).get("size") or layout.font_size)
        anchor = {"left": "start", "right": "end"}.get(str(note.get("xanchor")), "middle")
        down = {"top": size, "middle": size / 3}.get(str(note.get("yanchor")), -3.0)
        x, y = x + float(note.get("xshift") or 0), y - float(note.get("yshift") or 0) + down
        yield text(x, y, str(note.get("text") or ""), text_anchor=anchor, font_size=size)


def pictures(layout: Layout) -> Iterator[str]:
    """Draw the pictures of the layout."""
    for image in layout.several("images"):
        refs = {k: _reference(image, k, f"{k} paper") for k in ("x", "y")}
        x, y = (layout.pixel(image.get(k), refs[k]) for k in ("x", "y"))
        width, height = (_length(layout, image.get(f"size{k}"), refs[k]) for k in ("x", "y"))
        if x is None or y is None:
            continue
        x -= {"center": 0.5, "right": 1.0}.get(str(image.get("xanchor")), 0.0) * width
        y -= {"middle": 0.5, "bottom": 1.0}.get(str(image.get("yanchor")), 0.0) * height
        fitted = _FITTED.get(str(image.get("sizing")), "xMidYMid meet")
        yield picture(image.get("source"), (x, y, width, height), fitted=fitted)


def _length(layout: Layout, size: object, reference: str) -> float:
    ends = [layout.pixel(value, reference) for value in (0, size or 0)]
    return abs((ends[1] or 0.0) - (ends[0] or 0.0))


def _reference(item: Plotted, along: str, default: str) -> str:
    found = str(item.get(f"{along}ref") or default)
    return f"{along} paper" if found == "paper" else found
