"""How the cells of a comparison compare: error against evaluations, and step by step.

Their paths are drawn by `sdnb.plots.latents.plot_trajectories`, their pictures, to be paged
through, by `sdnb.plots.flip_book`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.theme import INK, footnote, page, rounded, run_marks

if TYPE_CHECKING:
    import sdnb.comparison.differences
    import sdnb.comparison.scores

BUDGETS = (10, 20, 40)
"""Evaluations for which the best cell is told."""


def plot_scores(scores: "sdnb.comparison.scores.Scores") -> Figure:
    """Draw each cell's error against its evaluations; cells that differ in steps are joined.

    Open points are not ranked, because their distance is not one of the ODE alone. The front is
    what no ranked cell beats in both, the dotted line how sure the goal is; stars are the best
    with at most 10, 20 and 40 evaluations.

    Raises
    ------
    InvalidField
        Where no cell has a distance that a logarithmic axis can show.
    """
    lines = _lines(scores)
    if not lines:
        raise InvalidField(
            "there is no distance to draw.",
            given="; ".join(dict.fromkeys(row.left_out for row in scores)) or "no cell",
            allowed="a cell that is finished, and not the reference itself",
            fix="comparison.scores() measures to each cell's converged solution",
        )
    figure = Figure()
    _add_errors(figure, lines)
    _add_front(figure, scores)
    if floor := max((row.floor for row in scores if row.floor), default=None):
        figure.add_hline(y=floor, line={"color": INK, "width": 1, "dash": "dot"})
    best = {budget: row for budget in BUDGETS if (row := scores.nearest(budget)) is not None}
    _add_stars(figure, list(best.values()))
    goal, said = _goal(scores), [_sentence(budget, row) for budget, row in best.items()]
    figure.update_xaxes(
        type="log",
        title_text=tr("plots.evaluations"),
        tickvals=[digit * 10**power for power in range(6) for digit in (1, 2, 5)],
    )
    figure.update_yaxes(type="log", dtick=1, title_text=tr("compare.error"))
    page(
        figure,
        title=tr("compare.distance", goal=goal),
        alt=tr("compare.distance_alt", goal=goal, names=", ".join(lines), best="; ".join(said)),
        height=max(460, 150 + 22 * (len(lines) + 2)),
    )
    footnote(figure, [*said, *_left_out(scores)])
    return figure


def plot_differences(differences: "sdnb.comparison.differences.Differences") -> Figure:
    """Draw how far cells are from the reference, step by step, over the noise level.

    The run goes from left to right; the finished latents, at level 0, stand at the right end.

    Raises
    ------
    InvalidField
        Where there is no cell besides the reference.
    """
    if not differences.cells:
        raise InvalidField(
            "there is no cell to compare with the reference.",
            given=differences.reference,
            allowed="two finished cells or more that differ",
            fix="sdnb.compare(pipe, prompt, sampler=[...])",
        )
    figure, end = Figure(), _end(differences)
    _add_distances(figure, differences.cells, end)
    ticks = [tick for tick in (100, 30, 10, 3, 1, 0.3, 0.1, 0.03) if end * 2 < tick]
    figure.update_xaxes(
        type="log",
        title_text=tr("plots.sigma"),
        autorange="reversed",
        tickvals=[*ticks, end],
        ticktext=[*(f"{tick:g}" for tick in ticks), "0"],
    )
    figure.update_yaxes(title_text=tr("compare.scaled_distance"), rangemode="tozero")
    goal, ends = differences.reference, ", ".join(map(_end_in_words, differences.cells))
    page(
        figure,
        title=tr("compare.by_step", goal=goal),
        alt=tr("compare.by_step_alt", goal=goal, ends=ends),
        height=max(420, 150 + 22 * len(differences.cells)),
    )
    return figure


def _end_in_words(each: "sdnb.comparison.differences.Difference") -> str:
    return tr("compare.ends_at", name=each.name, rmse=f"{each.rmse[-1]:.3g}")


def _end(differences: "sdnb.comparison.differences.Differences") -> float:
    """Return where level 0 is drawn on a logarithmic axis: to the right of all others."""
    levels = (sigma for each in differences.cells for sigma in each.sigmas if sigma > 0)
    return min(levels, default=1.0) / 3


def _add_distances(
    figure: Figure, cells: "Sequence[sdnb.comparison.differences.Difference]", end: float
) -> None:
    for each, mark in zip(cells, run_marks([each.name for each in cells]), strict=True):
        figure.add_scatter(
            x=rounded([sigma or end for sigma in each.sigmas], 4),
            y=rounded(each.rmse, 4),
            name=each.name,
            mode="lines+markers",
            line=mark.line,
            marker=mark.marker,
            customdata=rounded(each.sigmas, 4),
            hovertemplate="<b>%{fullData.name}</b>, σ %{customdata}: %{y:.3g}<extra></extra>",
            showlegend=True,
        )


def _goal(scores: "sdnb.comparison.scores.Scores") -> str:
    """Return what distances are measured to: a cell's name, or solutions and how sure they are."""
    floors = {row.floor for row in scores if row.floor is not None}
    if not floors:
        return scores.goal
    key = "compare.solution" if len(floors) == 1 else "compare.solutions"
    return tr(key, floor=f"{max(floors):.2g}")


def _lines(
    scores: "sdnb.comparison.scores.Scores",
) -> "dict[str, list[sdnb.comparison.scores.Score]]":
    """Return the cells that can be drawn by what they have in common besides their steps."""
    found: dict[str, list[sdnb.comparison.scores.Score]] = {}
    for row in sorted(scores, key=lambda row: row.evaluations or 0):
        if row.latent_rmse:
            found.setdefault(_line_name(row), []).append(row)
    return found


def _add_errors(figure: Figure, lines: "dict[str, list[sdnb.comparison.scores.Score]]") -> None:
    for (name, rows), mark in zip(lines.items(), run_marks(list(lines)), strict=True):
        figure.add_scatter(
            x=[row.evaluations for row in rows],
            y=rounded([row.latent_rmse or 0.0 for row in rows], 4),
            name=name,
            mode="lines+markers",
            line=mark.line,
            marker={
                "color": mark.colour,
                "symbol": mark.symbol + "-open" * bool(rows[0].left_out),
                "size": 8,
            },
            text=[_told(row) for row in rows],
            hovertemplate="%{text}<extra></extra>",
            showlegend=True,
        )


def _line_name(row: "sdnb.comparison.scores.Score") -> str:
    labels = {axis: label for axis, label in row.labels.items() if axis != "steps"}
    named = (
        label if axis in ("sampler", "schedule") else f"{axis} {label}"
        for axis, label in labels.items()
    )
    return ", ".join(named) or row.sampler


def _add_front(figure: Figure, scores: "sdnb.comparison.scores.Scores") -> None:
    figure.add_scatter(
        x=[row.evaluations for row in scores.front],
        y=rounded([row.latent_rmse or 0.0 for row in scores.front], 4),
        name=tr("compare.front"),
        mode="lines",
        line={"color": INK, "width": 1, "shape": "hv"},
        hoverinfo="skip",
    )


def _add_stars(figure: Figure, rows: "Sequence[sdnb.comparison.scores.Score]") -> None:
    figure.add_scatter(
        x=[row.evaluations for row in rows],
        y=rounded([row.latent_rmse or 0.0 for row in rows], 4),
        name=tr("compare.best"),
        mode="markers",
        marker={"color": INK, "symbol": "star", "size": 15},
        hoverinfo="skip",
    )


def _told(row: "sdnb.comparison.scores.Score") -> str:
    rmse = f"{row.latent_rmse:.3g}"
    said = f"<b>{row.name}</b><br>{tr('compare.told', evaluations=row.evaluations, rmse=rmse)}"
    if not row.left_out:
        return said
    return f"{said}<br>{tr('compare.not_ranked', reason=row.left_out)}"


def _sentence(budget: int, row: "sdnb.comparison.scores.Score") -> str:
    return tr(
        "compare.best_with",
        budget=budget,
        name=row.name,
        rmse=f"{row.latent_rmse:.3g}",
        evaluations=row.evaluations,
    )


def _left_out(scores: "sdnb.comparison.scores.Scores") -> Iterator[str]:
    reasons: dict[str, dict[str, None]] = {}
    for row in scores:
        if row.left_out:
            reasons.setdefault(row.left_out, {})[_line_name(row)] = None
    for reason, names in reasons.items():
        yield tr("compare.left_out", reason=reason, names="; ".join(names))
