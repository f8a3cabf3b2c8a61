"""Data in the plane: fields of arrows, ways through them, clouds of points.

All axes show the same square, so that what stands side by side can be compared.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.theme import INK, PALETTE, page, rounded, run_marks

if TYPE_CHECKING:
    import sdnb.comparison.plane

REACH = 2.9
"""How far the axes reach to each side of 0, where points at unit variance lie."""

MOST = 200
"""Points of a cloud that are drawn."""

_DATA = "rgba(128,128,128,0.6)"
_HEAD = 0.35
"""Length of an arrow's head, as a share of the arrow."""

Points = Float[Tensor, "_ 2"]


def plot_fields(fields: "Sequence[sdnb.comparison.plane.Field]", data: Points) -> Figure:
    """Draw fields of arrows side by side, each over the data.

    An arrow points from a place to where the denoiser sends it. Its length says how far that is,
    compared with the others of its field; long ones are shortened.
    """
    titles = [f"σ {field.sigma:.3g}" for field in fields]
    figure = _panels(titles)
    for column, field in enumerate(fields, 1):
        _add_cloud(figure, data, column, _DATA, 3)
        _add_arrows(figure, field, column)
    levels = ", ".join(f"{field.sigma:.3g}" for field in fields)
    _finish(
        figure,
        len(titles),
        title=tr("plane.fields"),
        alt=tr("plane.fields_alt", levels=levels),
    )
    return figure


def plot_walks(walks: "Sequence[sdnb.comparison.plane.Walk]", data: Points) -> Figure:
    """Draw the ways of samplers side by side; a ring is a start, a star an end.

    Over each stands how often the denoiser was asked.
    """
    figure = _panels([_asked(walk) for walk in walks])
    marks = run_marks([walk.name for walk in walks])
    for column, (walk, mark) in enumerate(zip(walks, marks, strict=True), 1):
        _add_cloud(figure, data, column, _DATA, 3)
        for way in walk.states.unbind(1):
            last = len(way) - 1
            figure.add_scatter(
                x=rounded(way[:, 0].tolist(), 3),
                y=rounded(way[:, 1].tolist(), 3),
                mode="lines+markers",
                line={"color": mark.colour, "width": 1.5, "dash": mark.dash},
                marker={
                    "color": mark.colour,
                    "symbol": ["circle-open", *["circle"] * (last - 1), "star"],
                    "size": [9, *[3] * (last - 1), 11],
                    "line": {"width": 0},
                    "opacity": 1,
                },
                customdata=[float(f"{sigma:.3g}") for sigma in walk.sigmas],
                hovertemplate=f"<b>{walk.name}</b>, σ %{{customdata}}<extra></extra>",
                showlegend=False,
                row=1,
                col=column,
            )
    names = ", ".join(walk.name for walk in walks)
    _finish(
        figure,
        len(walks),
        title=tr("plane.walks"),
        alt=tr("plane.walks_alt", names=names),
    )
    return figure


def plot_clouds(clouds: Mapping[str, Points], data: Points) -> Figure:
    """Draw clouds of points side by side, each over the data, by their names."""
    figure = _panels(list(clouds))
    for column, points in enumerate(clouds.values(), 1):
        _add_cloud(figure, data, column, _DATA, 3)
        _add_cloud(figure, points, column, PALETTE[1], 4)
    names = ", ".join(clouds)
    _finish(
        figure,
        len(clouds),
        title=tr("plane.clouds"),
        alt=tr("plane.clouds_alt", names=names),
    )
    return figure


def _asked(walk: "sdnb.comparison.plane.Walk") -> str:
    return tr("plane.walk", name=walk.name, evaluations=walk.evaluations)


def _panels(titles: Sequence[str]) -> Figure:
    named = [escape(title, quote=False) for title in titles]
    figure = make_subplots(rows=1, cols=len(titles), subplot_titles=named, horizontal_spacing=0.05)
    return Figure(figure)


def _add_cloud(figure: Figure, points: Points, column: int, colour: str, size: int) -> None:
    figure.add_scatter(
        x=rounded(points[:MOST, 0].tolist(), 3),
        y=rounded(points[:MOST, 1].tolist(), 3),
        mode="markers",
        marker={"color": colour, "size": size, "line": {"width": 0}},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=column,
    )


def _add_arrows(figure: Figure, field: "sdnb.comparison.plane.Field", column: int) -> None:
    xs, ys = _arrows(field)
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        line={"color": PALETTE[0], "width": 1.2},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=column,
    )


def _arrows(field: "sdnb.comparison.plane.Field") -> tuple[list[float | None], list[float | None]]:
    """Lines of arrows, a gap after each: shaft and the two strokes of its head."""
    away = field.ends - field.points
    length = away.norm(dim=1, keepdim=True).clamp(min=1e-12)
    gap = float((field.points[1] - field.points[0]).norm())
    drawn = away / length * gap * 1.1 * (length / (length + length.median()))
    tips, side = field.points + drawn, drawn.flip(1) * drawn.new_tensor([-1.0, 1.0])
    barbs = [tips - _HEAD * (drawn + sign * 0.6 * side) for sign in (1, -1)]
    strokes = [field.points, tips, barbs[0], tips, barbs[1]]
    columns: list[list[float | None]] = []
    for axis in (0, 1):
        each = zip(*(rounded(stroke[:, axis].tolist(), 3) for stroke in strokes), strict=True)
        columns.append([value for arrow in each for value in (*arrow, None)])
    return columns[0], columns[1]


def _finish(figure: Figure, count: int, *, title: str, alt: str) -> None:
    ends = [-REACH, REACH]
    figure.update_xaxes(range=ends, title_text=tr("plane.first"))
    for column in range(1, count + 1):
        anchor = "x" if column == 1 else f"x{column}"
        name = tr("plane.second") if column == 1 else None
        figure.update_yaxes(range=ends, scaleanchor=anchor, title_text=name, row=1, col=column)
    figure.update_annotations(font={"size": 12, "color": INK})
    page(figure, title=title, alt=alt, height=130 + 820 // max(count, 2))
