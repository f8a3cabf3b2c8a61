"""Lines and points of a still picture."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import cos, pi, sin
from typing import Any

from sdnb.plots.svg_axes import Panel, Plotted
from sdnb.plots.svg_text import Number, element, text

_FEW = 40
"""Points or stretches of a line that are drawn one by one; more are one element, far smaller."""

Point = tuple[Number, Number]
Place = tuple[Number | None, Number | None]

_DASHES = {
    "dash": "9 6",
    "dot": "2 4",
    "dashdot": "9 4 2 4",
    "longdash": "16 6",
    "longdashdot": "16 5 2 5",
}
_STAR = tuple(
    (r * sin(k * pi / 5), -r * cos(k * pi / 5)) for k in range(10) for r in ((1.3, 0.5)[k % 2],)
)
_CORNERS: Mapping[str, Sequence[Point]] = {
    "diamond": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "triangle-up": ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
    "triangle-down": ((0, 1.2), (1.15, -0.9), (-1.15, -0.9)),
    "star": _STAR,
}


def scatter(trace: Plotted, panel: Panel, colour: str) -> Iterator[str]:
    """Lines, points, and texts beside them."""
    places = [
        (panel.x.at(x), panel.y.at(y))
        for x, y in zip(trace.get("x") or (), trace.get("y") or (), strict=False)
    ]
    mode = mode_of(trace)
    line = trace.get("line") or {}
    stroke = line.get("color") or _scalar((trace.get("marker") or {}).get("color")) or colour
    yield from _filled(trace, panel, places, trace.get("fillcolor") or stroke)
    if "lines" in mode:
        yield from _lines(places, line, stroke)
    if "markers" in mode:
        yield from _points(trace, places, stroke)
    if "text" in mode:
        yield from _texts(trace, places)


def _lines(places: Sequence[Place], line: Plotted, colour: str) -> Iterator[str]:
    look: dict[str, object] = {"fill": "none", **stroke_of(line, colour)}
    drawn = [
        " ".join(f"{x:.1f},{y:.1f}" for x, y in _shaped(run, line.get("shape")))
        for run in _runs(places)
    ]
    if len(drawn) > _FEW:
        yield element("path", d="".join(f"M{points}" for points in drawn), **look)
        return
    for points in drawn:
        yield element("polyline", points=points, **look)


def mode_of(trace: Plotted) -> str:
    """Return whether lines, points or texts are drawn; plotly's default depends on their number."""
    count = len(trace.get("x") or trace.get("y") or ())
    return str(trace.get("mode") or ("lines+markers" if count < 20 else "lines"))


def sample(trace: Plotted, x: Number, y: Number, colour: str) -> Iterator[str]:
    """Draw what a legend shows of a trace, 26 pixels wide."""
    marker, line = trace.get("marker") or {}, trace.get("line") or {}
    stroke = line.get("color") or _scalar(marker.get("color")) or colour
    if trace.get("type") == "bar":
        yield element("rect", x=x, y=y - 5, width=26, height=10, fill=stroke)
        return
    mode = mode_of(trace)
    if "lines" in mode:
        yield element("line", x1=x, x2=x + 26, y1=y, y2=y, **stroke_of(line, stroke))
    if "markers" in mode:
        name = _scalar(marker.get("symbol")) or "circle"
        yield symbol(name, x + 13, y, 7.0, stroke)


def stroke_of(line: Plotted, colour: str) -> dict[str, object]:
    """Return SVG's form of plotly's ``line``."""
    dash = line.get("dash")
    return {
        "stroke": colour,
        "stroke_width": 2 if line.get("width") is None else line["width"],
        "stroke_dasharray": _DASHES.get(str(dash)),
        "stroke_linejoin": "round",
    }


def symbol(name: str, x: Number, y: Number, size: Number, colour: str) -> str:
    """Draw one point."""
    kind, is_open = name.removesuffix("-open"), name.endswith("-open")
    paint: dict[str, object] = {"fill": "none" if is_open else colour}
    if is_open:
        paint |= {"stroke": colour, "stroke_width": 1.5}
    r = size / 2
    if kind == "square":
        return element("rect", x=x - r, y=y - r, width=size, height=size, **paint)
    if kind in ("x", "cross"):
        return _cross(x, y, r * (0.8 if kind == "x" else 1.1), colour, turned=kind == "x")
    corners = _CORNERS.get(kind)
    if corners is None:
        return element("circle", cx=x, cy=y, r=r, **paint)
    points = " ".join(f"{x + r * dx:.1f},{y + r * dy:.1f}" for dx, dy in corners)
    return element("polygon", points=points, **paint)


def _cross(x: Number, y: Number, r: Number, colour: str, *, turned: bool) -> str:
    a, b = ((r, r), (r, -r)) if turned else ((r, 0.0), (0.0, r))
    path = "".join(f"M{x - dx:.1f},{y - dy:.1f}L{x + dx:.1f},{y + dy:.1f}" for dx, dy in (a, b))
    return element("path", d=path, stroke=colour, stroke_width=2, fill="none")


def _points(trace: Plotted, places: Sequence[Place], stroke: str) -> Iterator[str]:
    marker, count = (trace.get("marker") or {}), len(places)
    colours = each(marker.get("color"), count, stroke)
    sizes = each(marker.get("size"), count, 6)
    names = each(marker.get("symbol"), count, "circle")
    looks = set(zip(colours, sizes, names, strict=True))
    if count > _FEW and len(looks) == 1 and names[0] == "circle":
        yield _dots(places, str(colours[0]), float(sizes[0]))
        return
    for (x, y), colour, size, name in zip(places, colours, sizes, names, strict=True):
        if x is not None and y is not None:
            yield symbol(str(name), x, y, float(size), str(colour))


def _dots(places: Sequence[Place], colour: str, size: float) -> str:
    """Draw many equal circles as one element: strokes of no length with round ends."""
    path = "".join(f"M{x:.1f},{y:.1f}h0" for x, y in places if x is not None and y is not None)
    look: dict[str, object] = {"stroke": colour, "stroke_width": size, "stroke_linecap": "round"}
    return element("path", d=path, fill="none", **look)


def _texts(trace: Plotted, places: Sequence[Place]) -> Iterator[str]:
    position = str(trace.get("textposition") or "middle center")
    down = -8 if position.startswith("top") else 16 if position.startswith("bottom") else 4
    right = 8 if position.endswith("right") else -8 if position.endswith("left") else 0
    anchor = {8: "start", -8: "end"}.get(right, "middle")
    font = trace.get("textfont") or {}
    looks = {"fill": _scalar(font.get("color")), "font_size": font.get("size")}
    for (x, y), said in zip(places, each(trace.get("text"), len(places), ""), strict=True):
        if x is not None and y is not None and said:
            yield text(x + right, y + down, str(said), text_anchor=anchor, **looks)


def _filled(trace: Plotted, panel: Panel, places: Sequence[Place], colour: str) -> Iterator[str]:
    if trace.get("fill") != "tozeroy":
        return
    zero = panel.y.at(0.0)
    floor = panel.y.begin if zero is None else zero
    for run in _runs(places):
        corners = [(run[0][0], floor), *run, (run[-1][0], floor)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        yield element("polygon", points=drawn, fill=colour, fill_opacity=0.3)


def _runs(places: Sequence[Place]) -> Iterator[list[Point]]:
    run: list[Point] = []
    for x, y in places:
        if x is not None and y is not None:
            run.append((x, y))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _shaped(run: Sequence[Point], shape: object) -> Iterator[Point]:
    yield run[0]
    for (x, y), (x_next, y_next) in pairwise(run):
        if shape == "hv":
            yield x_next, y
        elif shape == "vh":
            yield x, y_next
        yield x_next, y_next


def _scalar(value: object) -> Any:
    return value if isinstance(value, str) else None


def each(value: Any, count: int, default: Any) -> list[Any]:
    """Return one value for each point: a list as it is, anything else for all of them."""
    if value is None:
        return [default] * count
    if isinstance(value, list | tuple):
        return [default if v is None else v for v in (*value, *[None] * count)][:count]
    return [value] * count
