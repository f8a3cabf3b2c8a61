"""Where words look: heat maps over the picture, word by word and step by step."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from PIL.Image import Image
from torch import Tensor

from sdnb.plots.figure import Figure
from sdnb.plots.sheet import PAGE, Sheet
from sdnb.plots.theme import page, rounded

COLOURS = "Viridis"
_WIDEST = 110.0
_VEIL = 0.55
"""Opacity of a heat map over its picture."""


def draw_word_maps(picture: Image, maps: Mapping[str, Float[Tensor, "h w"]]) -> Figure:
    """Draw the picture, in grey, once for each word, under the word's heat map.

    Parameters
    ----------
    maps : Mapping of str to Tensor [h, w]
        Values 0 … 1; drawn as large as the picture, smoothly, all on one colour scale.
    """
    sheet = Sheet.of(len(maps), ratio=picture.height / picture.width, lines=1)
    figure = Figure()
    for index, (word, heat) in enumerate(maps.items()):
        xs, ys = sheet.cells(index, heat.shape[1], heat.shape[0])
        figure.add_heatmap(
            x=xs,
            y=ys,
            z=[rounded(row, 3) for row in heat.tolist()],
            **_scale(is_named=index == 0),
            zsmooth="best",
            opacity=_VEIL,
            hovertemplate="%{z:.2f}<extra>%{meta}</extra>",
            meta=word,
        )
    sheet.write(figure, [f"<b>{word}</b>" for word in maps])
    grey = picture.convert("L")  # colour means attention here, and nothing else
    pictures = [sheet.picture(index, grey) for index in range(len(maps))]
    figure.update_layout(images=pictures)
    sheet.page(
        figure,
        title="Where each word looks",
        alt=f"Attention over the picture, for each of the words: {', '.join(maps)}",
    )
    return figure


def draw_word_steps(
    maps: Float[Tensor, "W S h w"], words: Sequence[str], steps: Sequence[int]
) -> Figure:
    """Draw a grid of heat maps: a row for each word, a column for each step.

    Parameters
    ----------
    maps : Tensor [W, S, h, w]
        Values 0 … 1.
    words : sequence of str, [W]
    steps : sequence of int, [S]
        What stands under the columns.
    """
    _, count, height, width = maps.shape
    across, down = width + _gap(width), height + _gap(height)
    figure = Figure()
    for index, (word, films) in enumerate(zip(words, maps, strict=True)):
        figure.add_heatmap(
            y=[index * down + line for line in range(height)],
            z=[_side_by_side(films[:, line], _gap(width)) for line in range(height)],
            **_scale(is_named=index == 0),
            hovertemplate="%{z:.2f}<extra>%{meta}</extra>",
            meta=word,
        )
    bare: dict[str, Any] = {
        "showgrid": False,
        "showline": False,
        "ticks": "",
        "constrain": "domain",
    }
    figure.update_xaxes(
        title_text="step (index)",
        tickvals=[index * across + (width - 1) / 2 for index in range(count)],
        ticktext=[str(step) for step in steps],
        constraintoward="left",
        **bare,
    )
    figure.update_yaxes(
        tickvals=[index * down + (height - 1) / 2 for index in range(len(words))],
        ticktext=list(words),
        range=[len(words) * down - _gap(height) - 0.5, -0.5],
        scaleanchor="x",
        constraintoward="top",
        **bare,
    )
    cell = min(_WIDEST, PAGE / count)
    page(
        figure,
        title="Where each word looks, step by step",
        alt=f"Attention of the words {', '.join(words)} in steps {steps[0]} to {steps[-1]}",
        height=round(len(words) * cell * down / across) + 120,
    )
    return figure


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
        "colorbar": {"title": {"text": "attention"}, "thickness": 12},
    }
