"""Where things stand in a still picture: its size, the room for the plots, axes, the legend."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sdnb.i18n import tr
from sdnb.plots import svg_bars, svg_cells
from sdnb.plots.svg_axes import Axis, Panel, Plotted, fit
from sdnb.plots.svg_text import Number, width_of
from sdnb.plots.theme import INK, PALETTE

WIDTH, HEIGHT = 900.0, 450.0
"""Pixels of a figure that says nothing of its size."""

COLOUR_BAR = 60.0
SMALL = 11.0
"""Size of the numbers at ticks."""

_MARGIN = {"l": 64, "r": 24, "t": 64, "b": 56}
_NAMED = (None, "scatter", "scattergl", "bar")
Box = tuple[Number, Number, Number, Number]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A trace and the colour it has by its place among the others."""

    trace: Plotted
    colour: str

    @property
    def kind(self) -> str:
        """The trace's type, as plotly names it."""
        return str(self.trace.get("type") or "scatter")


class Layout:
    """A figure's layout with its template filled in.

    Attributes
    ----------
    traces : list of Drawn
        The visible ones.
    legend : list of Drawn
        Those that the legend names.
    area : tuple
        Left, top, width and height of the room for the plots, in pixels.
    axes : dict of str to Axis
        By plotly's name: ``"xaxis2"``.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._own: dict[str, Any] = values["layout"]
        self._template: dict[str, Any] = (self._own.get("template") or {}).get("layout") or {}
        colours = self.option("colorway") or PALETTE
        shown = [trace for trace in values["data"] if trace.get("visible") in (None, True)]
        self.traces = [Drawn(t, colours[i % len(colours)]) for i, t in enumerate(shown)]
        font = self.option("font") or {}
        self.ink, self.font_size = font.get("color") or INK, float(font.get("size") or 12)
        self.width = float(self._own.get("width") or WIDTH)
        self.height = float(self._own.get("height") or HEIGHT)
        self.legend = list(self._legend())
        self.area = self._area(left=0.0)
        self.axes = self._axes()
        self.area = self._area(left=self._overhang())  # now that it is known what ticks say
        self.axes = self._axes()

    def option(self, name: str) -> Any:
        """Return an option, the template's where the figure has none; groups are joined."""
        own, template = self._own.get(name), self._template.get(name)
        if isinstance(own, dict) and isinstance(template, dict):
            return {**template, **own}
        return template if own is None else own

    def several(self, name: str) -> list[Plotted]:
        """Return a list of the layout, such as its annotations."""
        return list(self._own.get(name) or ())

    @property
    def title(self) -> Plotted:
        """Text and font of the title."""
        found: Plotted = self.option("title") or {}
        return found

    @property
    def legend_title(self) -> str:
        """What stands over the legend."""
        title = (self.option("legend") or {}).get("title") or {}
        return str(title.get("text") or "")

    @property
    def alt(self) -> str:
        """What the figure shows, in words."""
        meta = self._own.get("meta")
        said = meta.get("alt") if isinstance(meta, dict) else None
        return str(said or self.title.get("text") or tr("plots.nameless"))

    def panel(self, trace: Plotted) -> Panel:
        """Return the axes of a trace."""
        return Panel(*(self.axes[layout_name(trace.get(f"{k}axis") or k)] for k in ("x", "y")))

    def crossed(self, name: str) -> Axis | None:
        """Return the axis at which another stands."""
        anchor = self.axes[name].options.get("anchor") or ("y" if name[0] == "x" else "x")
        return self.axes.get(layout_name(anchor))

    def domain(self, trace: Plotted) -> Box:
        """Return the room of a trace without axes."""
        domain = trace.get("domain") or {}
        left, right = (self._paper("x", share) for share in domain.get("x") or (0.0, 1.0))
        bottom, top = (self._paper("y", share) for share in domain.get("y") or (0.0, 1.0))
        return left, top, right - left, bottom - top

    def pixel(self, value: Any, reference: str, *, is_shape: bool = False) -> float | None:
        """Return the pixel of a value on the page, on an axis, or on an axis' stretch.

        Parameters
        ----------
        reference : str
            As plotly writes it, with the direction for the page: ``"x paper"``, ``"y2"``,
            ``"x domain"``.
        is_shape : bool
            A shape's value on a log axis is the value itself; others give its logarithm.
        """
        name, _, stretch = reference.partition(" ")
        if stretch == "paper":
            return self._paper(name, float(value or 0))
        axis = self.axes.get(layout_name(name))
        if axis is None:
            return None
        if stretch == "domain":
            return axis.begin + float(value or 0) * (axis.end - axis.begin)
        return axis.at(value) if is_shape else axis.place(value)

    def stretch(self, reference: str) -> tuple[float, float]:
        """Return the pixels between which something with this reference can be seen."""
        axis = self.axes.get(layout_name(reference.partition(" ")[0]))
        if axis is None or reference.endswith("paper"):
            return 0.0, max(self.width, self.height)
        return min(axis.begin, axis.end), max(axis.begin, axis.end)

    def bars_beside(self, drawn: Drawn) -> list[Plotted]:
        """Return all bars on the same axes."""
        place = [drawn.trace.get(key) for key in ("xaxis", "yaxis")]
        bars = [other.trace for other in self.traces if other.kind == "bar"]
        return [bar for bar in bars if [bar.get(key) for key in ("xaxis", "yaxis")] == place]

    def slot(self, drawn: Drawn) -> tuple[float, float]:
        """Return begin and width of a bar, as shares of the room of its group."""
        gap = self.option("bargap")
        room = 1 - (0.2 if gap is None else float(gap))
        beside = self.bars_beside(drawn)
        if self.option("barmode") in ("stack", "relative", "overlay"):
            return (1 - room) / 2, room
        width = room / len(beside)
        return (1 - room) / 2 + _place_of(drawn.trace, beside) * width, width

    def bases(self, drawn: Drawn) -> list[float]:
        """Return where bars begin: at 0, or on top of those before."""
        count = len(svg_bars.bar_values(drawn.trace)[1])
        if self.option("barmode") not in ("stack", "relative"):
            return [0.0] * count
        beside = self.bars_beside(drawn)
        below = beside[: _place_of(drawn.trace, beside)]
        columns = zip(*(svg_bars.bar_values(bar)[1] for bar in below), strict=False)
        return [*(float(sum(column)) for column in columns), *[0.0] * count][:count]

    def has_colour_bar(self) -> bool:
        """Whether a heatmap needs its colours explained."""
        heatmaps = (drawn.trace for drawn in self.traces if drawn.kind == "heatmap")
        return any(trace.get("showscale") is not False for trace in heatmaps)

    def _legend(self) -> Iterator[Drawn]:
        named = [d for d in self.traces if d.trace.get("name") and d.trace.get("type") in _NAMED]
        shown, groups = self.option("showlegend"), set()
        is_asked = any(drawn.trace.get("showlegend") for drawn in named)
        if shown is False or (shown is None and len(named) < 2 and not is_asked):
            return
        for drawn in named:
            group = drawn.trace.get("legendgroup")
            if drawn.trace.get("showlegend") is not False and group not in groups:
                groups |= {group} if group else set()
                yield drawn

    def _area(self, left: Number) -> Box:
        margin = {**_MARGIN, **(self.option("margin") or {})}
        widths = [width_of(str(d.trace["name"]), self.font_size) + 54 for d in self.legend]
        widths += [width_of(self.legend_title, self.font_size) + 22] if self.legend else []
        right = margin["r"] + max(widths, default=0.0) + COLOUR_BAR * self.has_colour_bar()
        left, top = max(left, float(margin["l"])), float(margin["t"])
        return left, top, self.width - left - right, self.height - top - float(margin["b"])

    def _overhang(self) -> float:
        """Return the room that names and ticks need left of the leftmost axis."""
        rooms = [0.0]
        for name, axis in self.axes.items():
            crossed = self.crossed(name)
            if name[0] == "x" or crossed is None or axis.options.get("side") == "right":
                continue
            widest = max((width_of(label, SMALL) for _, label in axis.ticks()), default=0.0)
            title = 22.0 if (axis.options.get("title") or {}).get("text") else 0.0
            rooms.append(widest + title + 14 - (crossed.begin - self.area[0]))
        return max(rooms)

    def _paper(self, along: str, share: Number) -> float:
        left, top, width, height = self.area
        return left + share * width if along == "x" else top + (1 - share) * height

    def _axes(self) -> dict[str, Axis]:
        axes = {name: self._axis(name) for name in self._axis_names()}
        for name, axis in axes.items():
            anchor = axis.options.get("scaleanchor")
            other = layout_name(anchor) if anchor else name
            if other in axes and other != name:
                axes |= _square({name: axis, other: axes[other]})
        return axes

    def _axis_names(self) -> list[str]:
        traces = [drawn.trace for drawn in self.traces if drawn.kind != "table"]
        used = [layout_name(t.get(f"{k}axis") or k) for t in traces for k in ("x", "y")]
        named = [name for name in self._own if name.startswith(("xaxis", "yaxis"))]
        return list(dict.fromkeys([*used, *named])) if used else []

    def _options(self, name: str) -> dict[str, Any]:
        return {**(self._template.get(name[:5]) or {}), **(self._own.get(name) or {})}

    def _axis(self, name: str) -> Axis:
        along, options = name[0], self._options(name)
        group = self._matched(name)
        shown = [d for d in self.traces if self._matched(f"{along}axis", d.trace) == group]
        values = [value for drawn in shown for value in self._values(drawn, along)]
        values += self._shape_values(along, group)
        kinds = {drawn.kind for drawn in shown}
        is_line = all(drawn.trace.get("mode") == "lines" for drawn in shown)
        pad = 0.0 if kinds & {"bar", "heatmap", "image"} or (along == "x" and is_line) else 0.05
        if along == "y" and "image" in kinds:
            options.setdefault("autorange", "reversed")
        begin, end = (self._paper(along, share) for share in options.get("domain") or (0.0, 1.0))
        return fit(options, values, begin, end, pad=pad)

    def _shape_values(self, along: str, group: str) -> list[object]:
        found: list[object] = []
        for shape in self.several("shapes"):
            reference = str(shape.get(f"{along}ref") or along)
            if reference[1:].isdigit() or reference == along:
                name = layout_name(reference)
                if self._matched(name) == group:
                    found += [shape.get(f"{along}0"), shape.get(f"{along}1")]
        return found

    def _matched(self, name: str, trace: Plotted | None = None) -> str:
        """Return the axis whose range this one, or a trace's, has."""
        own = name if trace is None else layout_name(trace.get(name) or name[0])
        matches = self._options(own).get("matches")
        return layout_name(matches) if matches else own

    def _values(self, drawn: Drawn, along: str) -> list[object]:
        match drawn.kind:
            case "bar":
                return svg_bars.extent(drawn.trace, along, self.bases(drawn))
            case "heatmap":
                return svg_cells.heatmap_extent(drawn.trace, along)
            case "image":
                return svg_cells.image_extent(drawn.trace, along)
            case "table":
                return []
        return list(drawn.trace.get(along) or ())


def _square(pair: dict[str, Axis]) -> dict[str, Axis]:
    """Shorten one of two axes, so that a unit is as long on both."""
    units = [abs(axis.pixel(1.0) - axis.pixel(0.0)) for axis in pair.values()]
    return {
        name: _shortened(axis, min(units) / unit)
        for (name, axis), unit in zip(pair.items(), units, strict=True)
    }


def _shortened(axis: Axis, share: float) -> Axis:
    toward = axis.options.get("constraintoward")
    low, high = sorted((axis.begin, axis.end))
    spare = (1 - share) * (high - low)
    before = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}.get(str(toward), 0.5) * spare
    ends = [low + before, high - spare + before]
    begin, end = ends if axis.begin < axis.end else ends[::-1]
    return replace(axis, begin=begin, end=end)


def layout_name(short: str) -> str:
    """Return the layout's name of an axis: ``"x2"`` is ``"xaxis2"``."""
    return short if "axis" in short else f"{short[0]}axis{short[1:]}"


def _place_of(trace: Plotted, among: list[Plotted]) -> int:
    return next(index for index, other in enumerate(among) if other is trace)
