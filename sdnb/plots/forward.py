"""Noise added and noise seen: sums of numbers, and questions to the network at many levels."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Shaped
from torch import Tensor

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.latents import DIVERGING
from sdnb.plots.sheet import Sheet
from sdnb.plots.theme import INK, rounded

if TYPE_CHECKING:
    import sdnb.comparison.microscope

_TABLE = 0.84
"""Size of a table of numbers in its cell: between two there is room for a sign."""


def plot_sum(terms: Mapping[str, Shaped[Tensor, "h w"]], signs: str) -> Figure:
    """Draw small tables of numbers side by side, with a sign between neighbours.

    Blue is under 0, orange over it, all on one scale; each cell says its number.

    Parameters
    ----------
    terms : Mapping of str to Tensor [h, w]
        By what stands under them: ``{"picture": a, "noise": b, "sum": a + b}``.
    signs : str
        One between each two: ``"+="``.

    Raises
    ------
    InvalidField
        Where there is not one sign between each two tables of one size.
    """
    shapes = {tuple(term.shape) for term in terms.values()}
    if len(shapes) != 1 or len(signs) != len(terms) - 1:
        raise InvalidField(
            "a sum has a sign between each two tables of one size.",
            given=f"{len(terms)} tables of sizes {sorted(shapes)}, signs {signs!r}",
            allowed="tables of one size, one sign less than tables",
            fix='plot_sum({"picture": a, "noise": b, "sum": a + b}, "+=")',
        )
    figure = Figure()
    ((height, width),) = shapes
    sheet = Sheet.of(len(terms), ratio=height / width, lines=1)
    limit = max(float(term.double().abs().max()) for term in terms.values()) or 1.0
    for index, term in enumerate(terms.values()):
        x, y = sheet.place(index)
        xs, ys = sheet.cells(index, width, height)
        narrow = [x + _TABLE * (each - x) for each in xs]
        _add_table(figure, term, limit, narrow, [y + _TABLE * (each - y) for each in ys])
        if index:
            look: dict[str, Any] = {"showarrow": False, "font": {"size": 20, "color": INK}}
            sign = f"<b>{signs[index - 1]}</b>"
            figure.add_annotation(x=x - 0.5, y=y, xref="x", yref="y", text=sign, **look)
    sheet.write(figure, list(terms))
    said = " ".join(f"{name} {sign}" for name, sign in zip(terms, f"{signs} ", strict=True))
    sheet.page(figure, title=tr("forward.sum"), alt=tr("forward.sum_alt", sum=said.strip()))
    return figure


def _add_table(
    figure: Figure,
    term: Shaped[Tensor, "h w"],
    limit: float,
    xs: Sequence[float],
    ys: Sequence[float],
) -> None:
    figure.add_heatmap(
        x=xs,
        y=ys,
        z=[rounded(row, 4) for row in term.tolist()],
        zmin=-limit,
        zmax=limit,
        colorscale=DIVERGING,
        showscale=False,
        text=[[f"{value:.4g}" for value in row] for row in term.tolist()],
        texttemplate="%{text}",
        textfont={"color": "black"},
        hoverinfo="skip",
    )


def plot_questions(
    questions: "Sequence[sdnb.comparison.microscope.Inspection]", channel: int = 0
) -> Figure:
    """Draw questions to the network side by side, each as a column of four pictures.

    From above: what it was shown, decoded; a channel of the noise that had been added; the same
    channel of the noise that it saw; the clean picture that follows from its answer.
    """
    figure = Figure()
    count = len(questions)
    rows = {
        tr("forward.shown"): [each.decoded["x"] for each in questions],
        tr("forward.added"): [each.channels("eps_true")[channel] for each in questions],
        tr("forward.seen"): [each.channels("eps_cond")[channel] for each in questions],
        tr("forward.clean"): [each.decoded["x0"] for each in questions],
    }
    sheet = Sheet(count=len(rows) * count, columns=count, lines=2)
    pictures = [picture for row in rows.values() for picture in row]
    captions = [f"{name}<br>t {each.t:.0f}" for name in rows for each in questions]
    sheet.write(figure, captions)
    placed = [sheet.picture(index, picture) for index, picture in enumerate(pictures)]
    figure.update_layout(images=placed)
    times = ", ".join(f"{each.t:.0f}" for each in questions)
    sheet.page(
        figure,
        title=tr("forward.questions"),
        alt=tr("forward.questions_alt", times=times, rows=", ".join(rows)),
    )
    return figure
