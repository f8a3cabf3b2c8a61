"""Heat maps whose rows have names: what matrices of all kinds share."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from sdnb.plots.figure import Figure
from sdnb.plots.latents import DIVERGING
from sdnb.plots.svg_layout import SMALL
from sdnb.plots.svg_text import width_of

FEW = 16
"""Columns up to which there is room for numbers in the cells."""


def signed_scale(*, title: str, is_shown: bool) -> dict[str, Any]:
    """Return plotly's options for values from -1 to 1: blue below 0, orange above."""
    return {
        "zmin": -1.0,
        "zmax": 1.0,
        "colorscale": DIVERGING,
        "showscale": is_shown,
        "colorbar": {"title": {"text": title}, "thickness": 12},
    }


def name_rows(figure: Figure, labels: Sequence[str], row: int | None = None) -> None:
    """Write a name before each row, the first on top; of one subplot, or of the only one."""
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=[escape(label, quote=False) for label in labels],
        autorange="reversed",
        ticks="",
        row=row,
        col=None if row is None else 1,
    )


def name_columns(figure: Figure, labels: Sequence[str]) -> None:
    """Write a name under each column."""
    figure.update_xaxes(
        tickvals=list(range(len(labels))),
        ticktext=[escape(label, quote=False) for label in labels],
        tickangle=-45,
    )
    widest = max((width_of(label, SMALL) for label in labels), default=0.0)
    figure.update_layout(margin_b=max(56, 28 + 0.6 * widest))  # turned, they reach further down


def hide_lines(figure: Figure) -> None:
    """Leave the cells alone: no grid, no axes' lines, no ticks."""
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showgrid=False, showline=False, ticks="")


def write_numbers(
    figure: Figure,
    rows: Sequence[Sequence[float]],
    *,
    is_dark: Callable[[float], bool],
    digits: int = 2,
) -> None:
    """Write each number into its cell; in white where the cell's colour is dark."""
    cells = [(i, j, value) for i, row in enumerate(rows) for j, value in enumerate(row)]
    for here in (False, True):
        mine = [cell for cell in cells if is_dark(cell[2]) == here]
        figure.add_scatter(
            x=[j for _, j, _ in mine],
            y=[i for i, _, _ in mine],
            mode="text",
            text=[f"{value:z.{digits}f}".replace("-", "−") for *_, value in mine],
            textfont={"size": 10, "color": "#ffffff" if here else "#222222"},
            hoverinfo="skip",
            showlegend=False,
        )
