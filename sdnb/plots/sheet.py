"""A contact sheet: pictures or heatmaps in rows of equal cells, a caption under each."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from typing import Any

from PIL.Image import Image

from sdnb.plots.figure import Figure
from sdnb.plots.theme import page

PAGE = 820.0
"""Pixels between the margins that a sheet is laid out for; on a narrower page cells shrink."""

_WIDEST = 200.0
_MOST_IN_A_ROW = 8
_OVER, _UNDER = 52, 8
_LINE = 16.0
_GAP = 0.03
"""Share of a cell's width that is left free on each side."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Where the cells stand, in units of a cell's width; y runs down.

    Parameters
    ----------
    count, columns : int
        How many cells, and how many of them in a row.
    ratio : float
        Height of a cell over its width.
    lines : int
        Of a caption.
    """

    count: int
    columns: int
    ratio: float = 1.0
    lines: int = 1

    @classmethod
    def of(cls, count: int, *, ratio: float, lines: int) -> "Sheet":
        """Lay out cells in as few rows as stay readable, rows of one length."""
        rows = ceil(count / _MOST_IN_A_ROW)
        return cls(count=count, columns=ceil(count / rows), ratio=ratio, lines=lines)

    def place(self, index: int) -> tuple[float, float]:
        """Return the centre of a cell."""
        row, column = divmod(index, self.columns)
        return column + 0.5, row * self._pitch + self.ratio / 2

    def cells(self, index: int, columns: int, rows: int) -> tuple[list[float], list[float]]:
        """Return the centres of the columns and rows of a heatmap in a cell."""
        x, y = self.place(index)
        width, height = 1 - 2 * _GAP, self.ratio - 2 * _GAP
        xs = [x + ((i + 0.5) / columns - 0.5) * width for i in range(columns)]
        ys = [y + ((j + 0.5) / rows - 0.5) * height for j in range(rows)]
        return [round(x, 5) for x in xs], [round(y, 5) for y in ys]

    def picture(self, index: int, image: Image) -> dict[str, Any]:
        """Return a layout image of plotly's, as large as its cell."""
        x, y = self.place(index)
        return {
            "source": data_url(image, 2 * round(self._unit)),
            "xref": "x",
            "yref": "y",
            "x": x,
            "y": y,
            "sizex": 1 - 2 * _GAP,
            "sizey": self.ratio - 2 * _GAP,
            "sizing": "stretch",
            "xanchor": "center",
            "yanchor": "middle",
            "layer": "below",
        }

    def write(self, figure: Figure, captions: Sequence[str]) -> None:
        """Write a caption under each cell, and hide the axes that cells stand on."""
        places = [self.place(index) for index in range(len(captions))]
        figure.add_scatter(
            x=[x for x, _ in places],
            y=[y + self.ratio / 2 for _, y in places],
            mode="text",
            text=list(captions),
            textposition="bottom center",
            hoverinfo="skip",
            showlegend=False,
        )
        hidden: dict[str, Any] = {"visible": False, "fixedrange": True, "constrain": "domain"}
        figure.update_xaxes(range=[0, self.columns], constraintoward="left", **hidden)
        figure.update_yaxes(
            range=[self._bottom, 0], scaleanchor="x", constraintoward="top", **hidden
        )

    def page(self, figure: Figure, *, title: str, alt: str) -> None:
        """Give a figure the common look, and the height of all rows."""
        height = round(self._bottom * self._unit) + _OVER + _UNDER
        page(figure, title=title, alt=alt, height=height)
        figure.update_layout(margin={"l": 10, "r": 10, "t": _OVER, "b": _UNDER})

    @property
    def _unit(self) -> float:
        return min(_WIDEST, PAGE / self.columns)

    @property
    def _pitch(self) -> float:
        return self.ratio + (_LINE * self.lines + 12) / self._unit

    @property
    def _bottom(self) -> float:
        return ceil(self.count / self.columns) * self._pitch


def data_url(image: Image, side: int) -> str:
    """Return a picture as a JPEG in a data URL, its longer side at most ``side`` pixels."""
    small = image.convert("RGB")
    small.thumbnail((side, side))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
