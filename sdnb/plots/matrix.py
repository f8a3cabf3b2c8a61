"""Heat maps whose rows have names: what matrices of all kinds share."""

from collections.abc import Sequence
from html import escape
from typing import Any

from sdnb.plots.figure import Figure
from sdnb.plots.latents import DIVERGING


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


def hide_lines(figure: Figure) -> None:
    """Leave the cells alone: no grid, no axes' lines, no ticks."""
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showgrid=False, showline=False, ticks="")
