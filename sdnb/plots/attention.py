"""Which places attend to the words: heat maps over the picture, word by word and step by step."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from jaxtyping import Float
from PIL.Image import Image
from plotly.colors import get_colorscale
from torch import Tensor

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.sheet import PAGE, Sheet
from sdnb.plots.theme import page, rounded

COLOURS = "Viridis"
_WIDEST = 110.0
VEIL = 0.75
"""Opacity of a heat map over its picture."""

_PALE = 0.25
"""Contrast that is left of the picture under a map: its brightness must not read as attention."""

_BARE: dict[str, Any] = {
    "showgrid": False,
    "showline": False,
    "ticks": "",
    "constrain": "domain",
}
"""Of an axis that only names what stands beside it."""


def plot_word_maps(picture: Image, maps: Mapping[str, Float[Tensor, "h w"]]) -> Figure:
    """Draw the picture, pale and grey, once for each word, under the word's heat map.

    Each map is scaled to its own maximum, which stands under it.

    Parameters
    ----------
    maps : Mapping of str to Tensor [h, w]
        Shares of attention, 0 … 1; drawn as large as the picture, smoothly.
    """
    sheet = Sheet.of(len(maps), ratio=picture.height / picture.width, lines=2)
    figure = Figure()
    for index, (word, shares) in enumerate(maps.items()):
        xs, ys = sheet.cells(index, shares.shape[1], shares.shape[0])
        figure.add_heatmap(
            x=xs,
            y=ys,
            z=[rounded(row, 3) for row in _to_peak(shares).tolist()],
            **_scale(is_named=index == 0),
            zsmooth="best",
            opacity=VEIL,
            hovertemplate=f"{_hover()}<extra>%{{meta}}</extra>",
            meta=escape(word, quote=False),
        )
    captions = [
        f"<b>{escape(word, quote=False)}</b><br>{_at_most(shares)}" for word, shares in maps.items()
    ]
    sheet.write(figure, captions)
    under = pale(picture)
    figure.update_layout(images=[sheet.picture(index, under) for index in range(len(maps))])
    highest = ", ".join(f"{word} {_at_most(shares)}" for word, shares in maps.items())
    sheet.page(
        figure,
        title=tr("attention.maps"),
        alt=tr("attention.maps_alt", words=highest),
    )
    return figure


def plot_word_steps(
    maps: Float[Tensor, "W S h w"], words: Sequence[str], steps: Sequence[int]
) -> Figure:
    """Draw a grid of heat maps: a row for each word, a column for each step.

    Each row is scaled to its own maximum, which stands before it: in a row steps compare.

    Parameters
    ----------
    maps : Tensor [W, S, h, w]
        Shares of attention, 0 … 1.
    words : sequence of str, [W]
    steps : sequence of int, [S]
        What stands under the columns.
    """
    _, count, height, width = maps.shape
    across, down = width + _gap(width), height + _gap(height)
    figure = Figure()
    names = []
    for index, (word, shares) in enumerate(zip(words, maps, strict=True)):
        name = escape(word, quote=False)
        names.append(f"{name}<br>{_at_most(shares)}")
        film = _to_peak(shares)
        figure.add_heatmap(
            y=[index * down + line for line in range(height)],
            z=[_side_by_side(film[:, line], _gap(width)) for line in range(height)],
            **_scale(is_named=index == 0),
            hovertemplate=f"{_hover()}<extra>%{{meta}}</extra>",
            meta=name,
        )
    figure.update_xaxes(
        title_text=tr("attention.step"),
        tickvals=[index * across + (width - 1) / 2 for index in range(count)],
        ticktext=[str(step) for step in steps],
        constraintoward="left",
        **_BARE,
    )
    figure.update_yaxes(
        tickvals=[index * down + (height - 1) / 2 for index in range(len(words))],
        ticktext=names,
        range=[len(words) * down - _gap(height) - 0.5, -0.5],
        scaleanchor="x",
        constraintoward="top",
        **_BARE,
    )
    cell = min(_WIDEST, PAGE / count)
    page(
        figure,
        title=tr("attention.steps"),
        alt=tr("attention.steps_alt", words=", ".join(words), steps=", ".join(map(str, steps))),
        height=round(len(words) * cell * down / across) + 120,
    )
    return figure


def pale(picture: Image) -> Image:
    """Return a picture as it lies under a map: colour means attention, and nothing else."""
    return picture.convert("L").point([round(255 - _PALE * (255 - v)) for v in range(256)])


def colour_stops() -> list[tuple[float, str]]:
    """Return the colours of the maps, from share 0 to 1."""
    return [(at, colour) for at, colour in get_colorscale(COLOURS)]


def _to_peak(shares: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    scaled: Tensor = shares / shares.max().clamp(min=1e-12)
    return scaled


def _hover() -> str:
    return tr("attention.of_maximum", share="%{z:.2f}")


def _at_most(shares: Float[Tensor, "*shape"]) -> str:
    return tr("attention.plot_at_most", share=f"{float(shares.max()):.1%}")


def _gap(cells: int) -> int:
    return max(1, round(0.08 * cells))


def _side_by_side(lines: Float[Tensor, "S w"], gap: int) -> list[float | None]:
    """Join one line of several maps, with room between them."""
    joined = [value for line in lines.tolist() for value in (*rounded(line, 3), *[None] * gap)]
    return joined[:-gap]


def _scale(*, is_named: bool) -> dict[str, object]:
    return {
        "zmin": 0.0,
        "zmax": 1.0,
        "colorscale": COLOURS,
        "showscale": is_named,
        "colorbar": {"title": {"text": tr("attention.scale")}, "thickness": 12},
    }
