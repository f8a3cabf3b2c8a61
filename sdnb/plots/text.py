"""What a text becomes, as pictures: vectors of its tokens, and how far they are from others."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from plotly.subplots import make_subplots

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.matrix import hide_lines, name_columns, name_rows, signed_scale
from sdnb.plots.theme import page, rounded

if TYPE_CHECKING:
    import sdnb.comparison.text

_LINE = 24
"""Pixels of a row of a heat map."""


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
    titles = [
        tr("text.stage", stage=name, tokens=len(shown), width=followed.width, peak=f"{peak:.2g}")
        for name, peak in zip(stages, peaks, strict=True)
    ]
    figure = Figure(
        make_subplots(rows=len(stages), cols=1, subplot_titles=titles, vertical_spacing=0.16)
    )
    for row, (name, peak) in enumerate(zip(stages, peaks, strict=True), 1):
        point = tr("text.number", stage=name, index="%{x}", token="%{y}", value="%{z:.2f}")
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
    shortened, width = escape(_short(split.text), quote=False), followed.width
    page(
        figure,
        title=tr("text.stages", text=shortened, width=width),
        alt=tr("text.stages_alt", text=split.text, width=width, stages=", ".join(stages)),
        height=len(stages) * (len(shown) * _LINE + 96) + 40,
    )
    return figure


def plot_text_distances(
    distances: "sdnb.comparison.text.TextDistances", *, title: str = ""
) -> Figure:
    """Draw how far other prompts' vectors are from a prompt's, a row a prompt, a column a token."""
    title = title or tr("text.distances")
    point = tr("text.apart", token="%{x}", prompt="%{y}", distance="%{z:.3g}")
    rows = [_short(other) or tr("text.empty") for other in distances.others]
    peak = max(float(distances.values.max()), 1e-9)
    figure = Figure()
    figure.add_heatmap(
        z=[rounded(row, 3) for row in distances.values.tolist()],
        zmin=0.0,
        zmax=peak,
        colorscale="Viridis",
        colorbar={"title": {"text": tr("text.distance")}, "thickness": 12},
        hovertemplate=f"{point}<extra></extra>",
    )
    name_rows(figure, rows)
    name_columns(figure, distances.tokens)
    hide_lines(figure)
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


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
