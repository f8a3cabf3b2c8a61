"""A comparison to page through: a slider for each axis, and one for the step.

The sliders are plotly's own: they need neither a kernel nor any script but plotly's. Each sets
something of its own, so that they combine: all pictures of a moment lie on one sheet; the last
axis moves the window that shows part of it to the right, the one before it moves it down; two
more axes move the sheet itself; the step chooses the sheet.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import PIL.Image
from PIL import ImageDraw

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.theme import GRID, INK, page

if TYPE_CHECKING:
    import sdnb.comparison.flip_book

LARGEST = 256
"""Pixels of a picture's longer side, at most."""

_SHEET = 2**22
"""Pixels of a sheet, about, at most."""

_WIDEST = 16383
"""Pixels that WebP has room for in each direction."""

_GAP = 4
_BLANK = (128, 128, 128, 40)
_HEIGHT, _SLIDER = 540, 76

Named = tuple[str, tuple[str, ...]]


def plot_flip_book(book: "sdnb.comparison.flip_book.FlipBook") -> Figure:
    """Draw pictures to be paged through; at first all of them, at the end of their runs.

    ``figure.write_html("book.html")`` makes a page that works by itself. Of more than four axes
    the first ones share a slider. The still picture shows what is seen at first.

    Raises
    ------
    InvalidField
        Where no cell has a picture.
    """
    axes = _four([(axis.name, tuple(map(_short, axis.labels))) for axis in book.axes])
    grid = _Grid.of([len(labels) for _, labels in axes], book)
    figure = Figure()
    for moment, pictures in zip(book.moments, book.pages, strict=True):
        figure.add_image(
            source=grid.sheet(pictures),
            name=moment,
            **grid.origin(0, 0),
            dx=1,
            dy=1,
            visible=moment == book.moments[-1],
            hoverinfo="skip",
        )
    _add_axes(figure, axes, grid)
    figure.update_layout(sliders=_sliders(book.moments, axes, grid))
    named = "; ".join(f"{name}: {', '.join(labels)}" for name, labels in axes if name)
    page(
        figure,
        title=tr("flip_book.title"),
        alt=tr("flip_book.alt", count=len(book.pages[0]), axes=named or tr("flip_book.step")),
        height=_HEIGHT + _SLIDER * len(figure.layout.sliders),
    )
    return figure


@dataclass(frozen=True)
class _Grid:
    """Where pictures lie on a sheet, in pixels, y down.

    ``counts`` are those of the four axes, from slow to fast: blocks side by side, blocks below
    each other, and in a block the rows and the columns.
    """

    counts: tuple[int, int, int, int]
    size: tuple[int, int]

    @classmethod
    def of(cls, counts: Sequence[int], book: "sdnb.comparison.flip_book.FlipBook") -> "_Grid":
        found = [p.size for p in book.pages[-1] if not isinstance(p, str)]
        if not found:
            raise InvalidField(
                "there is no picture to page through.",
                given="no finished cell",
                allowed="one finished cell or more",
                fix="comparison.resume()",
            )
        width, height = max(size[0] for size in found), max(size[1] for size in found)
        blocks_x, blocks_y, down, across = counts
        share = min(
            1.0,
            LARGEST / max(width, height),
            sqrt(_SHEET / prod(counts) / width / height),
            (_WIDEST / (blocks_x * across) - 2 * _GAP) / width,
            (_WIDEST / (blocks_y * down) - 2 * _GAP) / height,
        )
        return cls(
            (blocks_x, blocks_y, down, across),
            (max(1, int(share * width)), max(1, int(share * height))),
        )

    @property
    def pitch(self) -> tuple[int, int]:
        """Width and height of a cell."""
        return self.size[0] + 2 * _GAP, self.size[1] + 2 * _GAP

    def corner(self, *place: int) -> tuple[int, int]:
        """Return the upper left corner of a cell."""
        block_x, block_y, down, across = place
        column = block_x * self.counts[3] + across
        row = block_y * self.counts[2] + down
        return column * self.pitch[0], row * self.pitch[1]

    def origin(self, block_x: int, block_y: int) -> dict[str, float]:
        """Return where the sheet's first pixel lies when a block is in the window's reach."""
        x, y = self.corner(block_x, block_y, 0, 0)
        return {"x0": 0.5 - x, "y0": 0.5 - y}

    def window(self, along: int, index: int | None) -> list[int]:
        """Return the range, in x (0) or y (1), of one column or row; of all without a number."""
        pitch, count = self.pitch[along], self.counts[3 - along]
        first, last = (0, count - 1) if index is None else (index, index)
        return [first * pitch + _GAP, (last + 1) * pitch - _GAP]

    def sheet(self, pictures: "Sequence[PIL.Image.Image | str]") -> str:
        """Return all pictures of a moment as one, in a data URL."""
        right, down = self.corner(*(count - 1 for count in self.counts))
        sheet = PIL.Image.new("RGBA", (right + self.pitch[0], down + self.pitch[1]))
        places = product(*map(range, self.counts))
        for place, picture in zip(places, pictures, strict=True):
            x, y = self.corner(*place)
            sheet.paste(self._fitted(picture), (x + _GAP, y + _GAP))
        buffer = BytesIO()
        sheet.save(buffer, "WEBP", quality=85)
        return f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"

    def _fitted(self, picture: "PIL.Image.Image | str") -> PIL.Image.Image:
        if isinstance(picture, str):
            blank = PIL.Image.new("RGBA", self.size, _BLANK)
            ImageDraw.Draw(blank).text((4, 4), picture, fill=INK)
            return blank
        if picture.size == self.size:
            return picture
        return picture.resize(self.size, PIL.Image.Resampling.LANCZOS)


def _four(axes: Sequence[Named]) -> list[Named]:
    """Return four axes: empty ones before few, the first of many joined."""
    axes = [*[("", ("",))] * (4 - len(axes)), *axes]
    joined, rest = axes[: len(axes) - 3], axes[len(axes) - 3 :]
    name = " + ".join(name for name, _ in joined)
    labels = tuple(" + ".join(each) for each in product(*(labels for _, labels in joined)))
    return [(name, labels), *rest]


def _add_axes(figure: Figure, axes: Sequence[Named], grid: _Grid) -> None:
    for along, update in enumerate((figure.update_xaxes, figure.update_yaxes)):
        name, labels = axes[3 - along]
        pitch = grid.pitch[along]
        window = grid.window(along, None)
        update(
            range=window[::-1] if along else window,
            title_text=name,
            tickvals=[(index + 0.5) * pitch for index in range(len(labels))],
            ticktext=list(labels),
            showgrid=False,
            showline=False,
            ticks="",
            constrain="domain",
        )
    figure.update_xaxes(constraintoward="left")
    figure.update_yaxes(constraintoward="top", scaleanchor="x")


def _sliders(moments: Sequence[str], axes: Sequence[Named], grid: _Grid) -> list[dict[str, Any]]:
    """Return a slider for each axis with more than one value, and one for the moment."""
    found = []
    for place, (name, labels) in enumerate(axes):
        if len(labels) > 1:
            stops = [_stop(label, place, index, grid) for index, label in enumerate(labels)]
            everything = [_stop(tr("flip_book.all"), place, None, grid)] if place > 1 else []
            found.append(_slider(name, [*everything, *stops]))
    shown = [
        {
            "label": moment,
            "method": "restyle",
            "args": [{"visible": [other == index for other in range(len(moments))]}],
        }
        for index, moment in enumerate(moments)
    ]
    found.append({**_slider("", shown), "active": len(moments) - 1})
    for number, slider in enumerate(found):
        slider["pad"] = {"t": 44 + _SLIDER * number}
    return found


def _stop(label: str, place: int, index: int | None, grid: _Grid) -> dict[str, Any]:
    """Return what a slider does at one stop; of the axes in blocks, or of the window's."""
    if place == 0:
        return _restyled(label, {"x0": grid.origin(index or 0, 0)["x0"]})
    if place == 1:
        return _restyled(label, {"y0": grid.origin(0, index or 0)["y0"]})
    along = 3 - place
    window = grid.window(along, index)
    change = {"yaxis.range": window[::-1]} if along else {"xaxis.range": window}
    return {"label": label, "method": "relayout", "args": [change]}


def _restyled(label: str, change: dict[str, float]) -> dict[str, Any]:
    return {"label": label, "method": "restyle", "args": [change]}


def _slider(name: str, stops: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "steps": list(stops),
        "active": 0,
        "currentvalue": {"prefix": f"{name}: " if name else "", "font": {"color": INK}},
        "bgcolor": GRID,
        "activebgcolor": INK,
        "bordercolor": INK,
        "tickcolor": INK,
        "font": {"color": INK, "size": 11},
        **{"x": 0, "len": 0.96, "y": 0, "yanchor": "top"},
    }


def _short(label: str) -> str:
    return label if len(label) <= 24 else f"{label[:23]}…"
