"""How samplers compare: error against evaluations, and cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plotly.subplots import make_subplots

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.theme import GRID, INK, PALETTE, footnote, page, rounded, sampler_mark

if TYPE_CHECKING:
    import sdnb.comparison.convergence
    import sdnb.comparison.samplers


def plot_convergence(*studies: "sdnb.comparison.convergence.Convergence") -> Figure:
    """Draw errors against the number of evaluations, one panel a problem.

    The legend gives each sampler's fitted order in every panel; grey lines show what orders 1
    to 3 look like, the dotted one what the true endpoint itself is uncertain by.
    """
    figure = Figure(
        make_subplots(
            rows=1,
            cols=len(studies),
            subplot_titles=[_wrapped(study.problem) for study in studies],
            horizontal_spacing=0.12,
        )
    )
    names = list(dict.fromkeys(curve.sampler for study in studies for curve in study.curves))
    for column, study in enumerate(studies, 1):
        _add_guides(figure, study, column)
        for curve in study.curves:
            _add_errors(figure, curve, _legend_name(curve.sampler, studies), column)
        _name_axes(figure, study, column)
    heading = "samplers.fitted" if len(studies) == 1 else "samplers.fitted_both"
    figure.update_layout(legend_title_text=tr(heading))
    page(
        figure,
        title=tr("samplers.convergence"),
        alt=tr("samplers.convergence_alt", names=", ".join(names)),
        height=max(460, 150 + 22 * len(names)),
    )
    _show_each_once(figure)
    _say_what_is_left_out(figure, studies)
    return figure


def plot_costs(costs: "Sequence[sdnb.comparison.samplers.Cost]") -> Figure:
    """Draw evaluations and time of samplers, DDIM's at the same number of steps being 1."""
    figure = Figure()
    names = [cost.sampler for cost in costs]
    bars = {
        tr("samplers.evaluations"): [cost.evaluations_ratio for cost in costs],
        tr("samplers.time"): [cost.time_ratio for cost in costs],
    }
    for (name, values), colour in zip(bars.items(), PALETTE[:2], strict=True):
        figure.add_bar(
            y=names,
            x=rounded(values),
            name=name,
            orientation="h",
            marker_color=colour,
            text=[f"{value:.2f}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"<b>%{{y}}</b>: {_bar(name)}<extra></extra>",
        )
    figure.add_vline(x=1, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text=tr("samplers.relative"), rangemode="tozero")
    figure.update_yaxes(title_text=tr("samplers.name"), autorange="reversed")
    steps = costs[0].steps if costs else 0
    page(
        figure,
        title=tr("samplers.costs", steps=steps),
        alt=tr("samplers.costs_alt", names=", ".join(names)),
        height=150 + 38 * len(costs),
    )
    return figure


def _bar(name: str) -> str:
    return tr("samplers.bar", name=name, value="%{x:.3g}")


def _add_errors(
    figure: Figure, curve: "sdnb.comparison.convergence.ErrorCurve", name: str, column: int
) -> None:
    mark = sampler_mark(curve.sampler)
    point = tr("samplers.point", evaluations="%{x}", steps="%{customdata}", error="%{y:.3g}")
    figure.add_scatter(
        x=list(curve.evaluations),
        y=rounded(curve.errors),
        name=name,
        mode="lines+markers",
        line=mark.line,
        marker=mark.marker,
        customdata=list(curve.steps),
        hovertemplate=f"<b>%{{fullData.name}}</b><br>{point}<extra></extra>",
        legendgroup=curve.sampler,
        row=1,
        col=column,
    )


def _add_guides(
    figure: Figure, study: "sdnb.comparison.convergence.Convergence", column: int
) -> None:
    counts = [count for curve in study.curves for count in curve.evaluations]
    errors = [error for curve in study.curves for error in curve.errors if error > 0]
    if not errors or min(counts) == max(counts):
        return
    first, last, top = min(counts), max(counts), max(errors)
    for order in (1, 2, 3):
        end = min(last, first * (top / min(errors)) ** (1 / order))
        figure.add_scatter(
            x=rounded([first, end]),
            y=rounded([top, top * (end / first) ** -order]),
            mode="lines+text",
            line={"color": GRID, "width": 5},
            text=["", tr("samplers.order", order=order)],
            textposition="bottom left",
            textfont={"size": 10},
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=column,
        )
    if study.floor > min(errors) / 100:
        line = {"color": INK, "width": 1, "dash": "dot"}
        figure.add_hline(y=study.floor, line=line, row=1, col=column)


def _name_axes(figure: Figure, study: "sdnb.comparison.convergence.Convergence", col: int) -> None:
    figure.update_xaxes(
        type="log",
        title_text=tr("plots.evaluations"),
        tickvals=[digit * 10**power for power in range(6) for digit in (1, 2, 5)],
        row=1,
        col=col,
    )
    error = tr(f"samplers.error_{study.unit}")
    figure.update_yaxes(type="log", dtick=1, title_text=error, row=1, col=col)


def _legend_name(sampler: str, studies: "Sequence[sdnb.comparison.convergence.Convergence]") -> str:
    fitted = []
    for study in studies:
        found = [curve.fitted for curve in study.curves if curve.sampler == sampler]
        fitted.append("–" if not found or found[0] is None else f"{found[0]:.1f}")
    return f"{sampler}\N{EM SPACE}{' | '.join(fitted)}"


def _show_each_once(figure: Figure) -> None:
    seen = set()
    for trace in figure.data:
        if trace.legendgroup:
            trace.showlegend = trace.legendgroup not in seen
            seen.add(trace.legendgroup)


def _say_what_is_left_out(
    figure: Figure, studies: "Sequence[sdnb.comparison.convergence.Convergence]"
) -> None:
    reasons: dict[str, list[str]] = {}
    for name, reason in dict.fromkeys(pair for study in studies for pair in study.left_out):
        reasons.setdefault(reason, []).append(name)
    footnote(
        figure,
        (
            tr("samplers.left_out", reason=reason, names=", ".join(names))
            for reason, names in reasons.items()
        ),
    )


def _wrapped(title: str) -> str:
    return title if len(title) <= 38 else f"{title[:37]}…"
