"""What all plots share: colours that colour-blind readers tell apart, on light and dark pages.

A name keeps its colour, dash and symbol in every plot: no colour stands alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any
from zlib import crc32

import plotly.graph_objects as go

from sdnb.registry import SAMPLERS, SCHEDULES, Registry

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe & Ito 2008, without black and yellow, which vanish on one of the two pages."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "triangle-down", "star")

INK = "#7a7a7a"
"""Text: as readable on white as on JupyterLab's dark page."""

GRID = "rgba(128,128,128,0.28)"
SHADE = "rgba(128,128,128,0.10)"

_AXIS: dict[str, Any] = {
    "gridcolor": GRID,
    "zeroline": False,
    "linecolor": INK,
    "showline": True,
    "ticks": "outside",
    "tickcolor": INK,
    "automargin": True,
    "exponentformat": "power",
    "title": {"standoff": 8},
}

TEMPLATE: dict[str, Any] = {
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(PALETTE),
        "font": {"color": INK, "size": 12, "family": "system-ui, sans-serif"},
        "title": {"x": 0.01, "xanchor": "left", "font": {"size": 15}},
        "margin": {"l": 64, "r": 24, "t": 64, "b": 56},
        "legend": {"bgcolor": "rgba(0,0,0,0)", "tracegroupgap": 2},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": PALETTE[0]},
        "hoverlabel": {"align": "left"},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
}


@dataclass(frozen=True)
class Mark:
    """How one name is drawn: colour, dash of its line, symbol of its points."""

    colour: str
    dash: str
    symbol: str

    @property
    def line(self) -> dict[str, object]:
        """Plotly's ``line``."""
        return {"color": self.colour, "dash": self.dash, "width": 2}

    @property
    def marker(self) -> dict[str, object]:
        """Plotly's ``marker``."""
        return {"color": self.colour, "symbol": self.symbol, "size": 8}


def sampler_mark(name: str) -> Mark:
    """Return how a sampler is drawn, everywhere."""
    return _mark(name, SAMPLERS)


def schedule_mark(name: str) -> Mark:
    """Return how a sigma schedule is drawn, everywhere; with options it looks another way."""
    return _mark(name, SCHEDULES)


def place_mark(place: int) -> Mark:
    """Return how what has no name of its own is drawn: by its place among the others, from 0.

    Neighbours differ in colour, dash and symbol; the star is left for ends.
    """
    lap, symbols = place // len(PALETTE), SYMBOLS[:-1]
    return Mark(
        PALETTE[place % len(PALETTE)],
        DASHES[(place + lap) % len(DASHES)],
        symbols[place % len(symbols)],
    )


def run_marks(names: Sequence[str]) -> list[Mark]:
    """Give runs their samplers' marks where no two have the same one, else marks by place."""
    samplers = [name.partition(" ")[0] for name in names]
    if len(set(samplers)) == len(samplers) and set(samplers) <= set(SAMPLERS.names()):
        return [sampler_mark(sampler) for sampler in samplers]
    return [place_mark(place) for place in range(len(names))]


def _mark(name: str, registry: Registry) -> Mark:
    names = registry.names()
    index = names.index(name) if name in names else crc32(name.encode())
    lap = index // len(PALETTE)
    return Mark(
        PALETTE[index % len(PALETTE)], DASHES[lap % len(DASHES)], SYMBOLS[lap % len(SYMBOLS)]
    )


def page(figure: go.Figure, *, title: str, alt: str, height: int) -> None:
    """Give a figure the common look, a title, its description in words, and its height.

    The width is left to the page.
    """
    figure.update_layout(
        template=TEMPLATE, title_text=title, meta={"alt": alt}, height=height, dragmode="zoom"
    )


def footnote(figure: go.Figure, sentences: Iterable[str]) -> None:
    """Write sentences under a figure whose height is known, and make room for them."""
    lines = [line for said in sentences for line in wrap(said, 110)]
    if lines:
        figure.add_annotation(
            text="<br>".join(lines),
            align="left",
            font={"size": 11},
            showarrow=False,
            **{"x": 0, "xref": "paper", "xanchor": "left"},
            **{"y": 0, "yref": "paper", "yanchor": "top", "yshift": -56},
        )
        below = 76 + 16 * len(lines)
        figure.update_layout(margin_b=below, height=figure.layout.height + below - 56)


def rounded(values: Iterable[int | float], digits: int = 6) -> list[float]:
    """Return values with six digits, or fewer: what a plot shows, in half the room."""
    return [float(f"{value:.{digits}g}") for value in values]
