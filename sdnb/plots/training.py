"""A training on its way: the loss, step by step."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from typing import TYPE_CHECKING

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.theme import page, place_mark, rounded

if TYPE_CHECKING:
    import sdnb.training.loop

WINDOW = 25
"""Steps that a running mean goes over."""

LONGEST = 300
"""Points of a curve: more are not seen, and fill the notebook."""


def plot_losses(
    trainings: "Mapping[str, Sequence[sdnb.training.loop.TrainEvent]]", *, window: int = WINDOW
) -> Figure:
    """Draw the loss of trainings over their steps: pale each step's, strong a running mean.

    Parameters
    ----------
    trainings : Mapping of str to sequence of TrainEvent
        By name; one that has no event yet is only named.
    window : int
        Steps that the running mean goes over.
    """
    figure = Figure()
    point = tr("training.point", step="%{x}", loss="%{y:.3g}")
    for place, (name, events) in enumerate(trainings.items()):
        mark = place_mark(place)
        losses = [event.loss for event in events]
        every = max(1, ceil(len(events) / LONGEST))
        steps = [event.step for event in events][::every]
        figure.add_scatter(
            x=steps,
            y=rounded(losses[::every], 3),
            mode="lines",
            line={"color": pale(mark.colour), "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(
            x=steps,
            y=rounded(running_means(losses, window)[::every], 4),
            name=escape(name, quote=False),
            mode="lines",
            line=mark.line,
            hovertemplate=f"<b>%{{fullData.name}}</b>, {point}<extra></extra>",
            showlegend=True,
        )
    figure.update_xaxes(title_text=tr("training.step"), rangemode="tozero")
    figure.update_yaxes(title_text=tr("microscope.error"), type="log", dtick=1)
    page(figure, title=tr("training.losses"), alt=losses_alt(trainings), height=340)
    return figure


def losses_alt(trainings: "Mapping[str, Sequence[sdnb.training.loop.TrainEvent]]") -> str:
    """Say in words what `plot_losses` draws."""
    ends = [f"{name}: {_said(events)}" for name, events in trainings.items()]
    return tr("training.losses_alt", ends="; ".join(ends))


def pale(colour: str) -> str:
    """Return a colour, ``#rrggbb``, at a third of its strength."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.35)"


def running_means(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """Mean of each value and those before it, at most ``window`` of them."""
    means, total = [], 0.0
    for index, value in enumerate(values):
        total += value - (values[index - window] if index >= window else 0.0)
        means.append(total / min(index + 1, window))
    return means


def _said(events: "Sequence[sdnb.training.loop.TrainEvent]") -> str:
    if not events:
        return tr("training.not_begun")
    first, last = (sum(event.loss for event in part) / len(part) for part in _ends(events))
    return tr("training.ends", first=f"{first:.2g}", last=f"{last:.2g}", steps=events[-1].step)


def _ends(
    events: "Sequence[sdnb.training.loop.TrainEvent]",
) -> "tuple[Sequence[sdnb.training.loop.TrainEvent], Sequence[sdnb.training.loop.TrainEvent]]":
    return events[:10], events[-25:]
