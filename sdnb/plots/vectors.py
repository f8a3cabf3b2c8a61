"""Named vectors as pictures: similarities, neighbours, sums of words, maps."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.matrix import (
    FEW,
    hide_lines,
    name_columns,
    name_rows,
    signed_scale,
    write_numbers,
)
from sdnb.plots.theme import GRID, INK, PALETTE, page, place_mark, rounded

if TYPE_CHECKING:
    import sdnb.comparison.vectors

_WALL: dict[str, Any] = {
    "showbackground": False,
    "gridcolor": GRID,
    "zerolinecolor": GRID,
    "linecolor": INK,
}
"""An axis in space: plotly's own walls are pale, on dark pages too."""


def plot_similarity(
    names: Sequence[str], values: Float[Tensor, "N N"], *, title: str = ""
) -> Figure:
    """Draw the cosine of the angle between each two vectors, in numbers if there is room."""
    count, title = len(names), title or tr("vectors.similarity")
    labels = [escape(name, quote=False) for name in names]
    figure = Figure()
    figure.add_heatmap(
        x=list(range(count)),
        y=list(range(count)),
        z=[rounded(row, 3) for row in values.tolist()],
        **signed_scale(title=tr("vectors.cosine"), is_shown=True),
        customdata=[[[one, other] for other in labels] for one in labels],
        hovertemplate="%{customdata[0]} – %{customdata[1]}: %{z:.2f}<extra></extra>",
    )
    if count <= FEW:
        write_numbers(figure, values.tolist(), is_dark=lambda value: abs(value) > 0.6)
    name_rows(figure, names)
    name_columns(figure, names)
    hide_lines(figure)
    page(
        figure,
        title=escape(title, quote=False),
        alt=tr("vectors.similarity_alt", title=title, names=", ".join(names)),
        height=max(220, count * 30 + 150),
    )
    return figure


def plot_nearest(near: "Sequence[sdnb.comparison.vectors.Near]", *, title: str) -> Figure:
    """Draw ranked names as bars, the nearest on top, as long as they are similar."""
    return _bars(near, title=title, marked=())


def plot_analogy(
    found: "sdnb.comparison.vectors.Analogy", expected: str, *, count: int = 8
) -> Figure:
    """Draw the names nearest to a sum, and the expected one wherever it stands.

    Terms of the sum are grey, the expected name is orange and has an arrow before it.
    """
    shown = [each for each in found.ranked if each.rank <= count or each.name == expected]
    return _bars(
        shown,
        title=tr(
            "vectors.analogy",
            sum=found,
            expected=expected,
            rank=found.rank(expected),
            total=len(found.ranked),
        ),
        marked=(expected,),
        faint=(*found.plus, *found.minus),
    )


def plot_projection(
    projected: "sdnb.comparison.vectors.Projected",
    groups: Mapping[str, Sequence[str]] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw named points on two or three axes; names of one group share a colour and a symbol.

    Parameters
    ----------
    groups : Mapping of str to sequence of str, optional
        Names by group; those of no group are drawn as "others".
    """
    is_deep, title = projected.points.shape[1] == 3, title or tr("vectors.map")
    figure = Figure()
    for place, (group, members) in enumerate(_grouped(projected.names, groups or {}).items()):
        indices = [i for i, name in enumerate(projected.names) if name in members]
        columns = projected.points[indices].T.tolist()
        mark = place_mark(place)
        _add_points(
            figure,
            dict(zip("xyz", (rounded(column, 4) for column in columns), strict=False)),
            name=group,
            mode="markers+text",
            text=[escape(projected.names[i], quote=False) for i in indices],
            textposition="top center",
            textfont={"size": 10},
            marker={"color": mark.colour, "symbol": mark.symbol, "size": 5 if is_deep else 9},
            hovertemplate="<b>%{text}</b><extra>%{fullData.name}</extra>",
            showlegend=True,
        )
    _name_axes(figure, _axis_names(projected))
    page(
        figure,
        title=escape(title, quote=False),
        alt=tr(
            "vectors.map_alt",
            title=title,
            count=len(projected.names),
            axes=projected.points.shape[1],
        ),
        height=560 if is_deep else 480,
    )
    return figure


def _bars(
    near: "Sequence[sdnb.comparison.vectors.Near]",
    *,
    title: str,
    marked: Sequence[str],
    faint: Sequence[str] = (),
) -> Figure:
    def colour(name: str) -> str:
        return PALETTE[1] if name in marked else INK if name in faint else PALETTE[0]

    arrows = ["→ " if each.name in marked else "" for each in near]
    labels = [
        f"{arrow}{each.rank} · {escape(each.name, quote=False)}"
        for arrow, each in zip(arrows, near, strict=True)
    ]
    figure = Figure()
    figure.add_bar(
        x=rounded([each.similarity for each in near], 3),
        y=labels,
        orientation="h",
        marker={"color": [colour(each.name) for each in near]},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure.update_xaxes(title_text=tr("vectors.similarity_axis"))
    figure.update_yaxes(autorange="reversed", ticks="")
    told = "; ".join(f"{each.rank} {each.name} {each.similarity:.2f}" for each in near)
    page(
        figure,
        title=escape(title, quote=False),
        alt=f"{title}. {told}",
        height=26 * len(near) + 120,
    )
    return figure


def _grouped(names: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return the names of each group that are there, and the others, if any."""
    found = {group: set(members) & set(names) for group, members in groups.items()}
    others = set(names).difference(*found.values())
    named = {**found, tr("vectors.others"): others}
    return {group: members for group, members in named.items() if members}


# Options are plotly's own.
def _add_points(figure: Figure, places: Mapping[str, list[float]], **options: Any) -> None:
    add = figure.add_scatter3d if "z" in places else figure.add_scatter
    add(**places, **options)


def _axis_names(projected: "sdnb.comparison.vectors.Projected") -> list[str]:
    dimensions = projected.points.shape[1]
    if not projected.shares:
        return [tr("vectors.umap_axis", number=i + 1) for i in range(dimensions)]
    key = "vectors.axis_in_space" if dimensions == 3 else "vectors.axis"
    shares = [f"{100 * share:.0f}" for share in projected.shares]
    return [tr(key, number=i, share=share) for i, share in enumerate(shares, 1)]


def _name_axes(figure: Figure, axes: Sequence[str]) -> None:
    if len(axes) == 3:
        named = {
            f"{k}axis": {**_WALL, "title": {"text": axis}}
            for k, axis in zip("xyz", axes, strict=True)
        }
        figure.update_layout(scene={**named, "aspectmode": "data"})
        return
    figure.update_xaxes(title_text=axes[0])
    figure.update_yaxes(title_text=axes[1] if len(axes) > 1 else "")
