"""What a text becomes, as pictures: vectors of its tokens, and how far they are from others."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from plotly.subplots import make_subplots

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
from sdnb.plots.theme import page, rounded

if TYPE_CHECKING:
    import sdnb.comparison.text

_LINE, _LOW, _MANY = 24, 14, 16
"""Pixels of a row of a heat map, and of one among more than so many."""


def plot_stages(
    followed: "sdnb.comparison.text.TextStages", stages: Sequence[str] = ("embedding", "output")
) -> Figure:
    """Draw the vectors of a text's tokens at some stages: a row a token, a column a number.

    Rows reach from the start mark to the first end mark. Each stage has a scale of its own,
    around 0; its largest number stands over it.
    """
    split = followed.split
    shown = split.chunks[0][: split.counts[0] + 2]
    peaks = [float(followed.stages[name][: len(shown)].abs().max()) for name in stages]
    said = [*map(stage_name, stages)]
    titles = [
        tr("text.stage", stage=name, tokens=len(shown), width=followed.width, peak=f"{peak:.2g}")
        for name, peak in zip(said, peaks, strict=True)
    ]
    figure = Figure(
        make_subplots(rows=len(stages), cols=1, subplot_titles=titles, vertical_spacing=0.16)
    )
    for row, (name, peak) in enumerate(zip(stages, peaks, strict=True), 1):
        point = tr("text.number", stage=said[row - 1], index="%{x}", token="%{y}", value="%{z:.2f}")
        values = followed.stages[name][: len(shown)] / max(peak, 1e-12)
        figure.add_heatmap(
            z=[rounded(line, 2) for line in values.tolist()],
            **signed_scale(title=tr("text.share"), is_shown=row == 1),
            hovertemplate=f"{point}<extra></extra>",
            row=row,
            col=1,
        )
        name_rows(figure, [token.piece or token.text for token in shown], row=row)
        figure.update_xaxes(title_text=tr("text.index"), row=row, col=1)
    figure.update_annotations(yshift=6, font_size=13)
    shortened, width = escape(_short(split.text, most=36), quote=False), followed.width
    page(
        figure,
        title=tr("text.stages", text=shortened, width=width),
        alt=tr("text.stages_alt", text=split.text, width=width, stages=", ".join(said)),
        height=len(stages) * (_tall(shown) + 96) + 40,
    )
    return figure


def plot_norms(followed: "sdnb.comparison.text.TextStages") -> Figure:
    """Draw how long each token's vector is at each stage, in numbers if there is room."""
    split, names = followed.split, [*map(stage_name, followed.stages)]
    shown = split.chunks[0][: split.counts[0] + 2]
    columns = [values[: len(shown)].norm(dim=1).tolist() for values in followed.stages.values()]
    norms = [list(row) for row in zip(*columns, strict=True)]
    point = tr("text.norm_at", stage="%{x}", token="%{y}", norm="%{z:.3g}")
    figure = _matrix(norms, scale=tr("text.norm"), point=point)
    name_rows(figure, [token.piece or token.text for token in shown])
    name_columns(figure, names)
    page(
        figure,
        title=tr("text.norms"),
        alt=tr("text.norms_alt", text=split.text, stages=", ".join(names)),
        height=_tall(shown) + 150,
    )
    return figure


def stage_name(stage: str) -> str:
    """Return the name of a stage of `TextStages` in the language that is set."""
    if stage.startswith("layer "):
        return tr("text.layer", number=stage.removeprefix("layer "))
    return tr(f"text.stage_{stage.replace(' ', '_')}")


def plot_text_distances(
    distances: "sdnb.comparison.text.TextDistances", *, title: str = ""
) -> Figure:
    """Draw how far other prompts' vectors are from a prompt's, a row a prompt, a column a token."""
    title = title or tr("text.distances")
    point = tr("text.apart", token="%{x}", prompt="%{y}", distance="%{z:.3g}")
    rows = [_short(other) or tr("text.empty") for other in distances.others]
    peak = float(distances.values.max())
    figure = _matrix(distances.values.tolist(), scale=tr("text.distance"), point=point)
    name_rows(figure, rows)
    name_columns(figure, distances.tokens)
    page(
        figure,
        title=escape(title, quote=False),
        alt=tr(
            "text.distances_alt",
            title=title,
            count=len(rows),
            tokens=", ".join(distances.tokens),
            peak=f"{peak:.3g}",
        ),
        height=len(distances.others) * 30 + 190,
    )
    return figure


def _matrix(rows: Sequence[Sequence[float]], *, scale: str, point: str) -> Figure:
    """Draw numbers ≥ 0 as cells, in numbers too if there is room."""
    peak = max(1e-9, *(max(row) for row in rows))
    figure = Figure()
    figure.add_heatmap(
        z=[rounded(row, 3) for row in rows],
        zmin=0.0,
        zmax=peak,
        colorscale="Viridis",
        colorbar={"title": {"text": scale}, "thickness": 12},
        hovertemplate=f"{point}<extra></extra>",
    )
    if len(rows[0]) <= FEW:
        write_numbers(figure, rows, is_dark=lambda value: value < 0.6 * peak, digits=1)
    hide_lines(figure)
    return figure


def _tall(rows: Sequence[object]) -> int:
    return len(rows) * (_LINE if len(rows) <= _MANY else _LOW)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
