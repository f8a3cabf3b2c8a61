"""What there is to see of a training: its loss, its samples, its error over the timesteps."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, isfinite, isnan, sqrt
from typing import TYPE_CHECKING

from sdnb.i18n import tr
from sdnb.panels.compared import ROOM, WIDEST
from sdnb.panels.pictures import data_url, image_html, jpeg, row, slots
from sdnb.panels.report import kept_picture
from sdnb.plots.figure import Figure
from sdnb.plots.microscope import error_curve_alt, plot_error_curve
from sdnb.plots.plane import REACH, plot_clouds
from sdnb.plots.theme import PALETTE, place_mark, rounded
from sdnb.plots.training import LONGEST, losses_alt, pale, plot_losses, running_means

if TYPE_CHECKING:
    import sdnb.labs.held_training
    import sdnb.labs.subjects
    import sdnb.training.loop

View = dict[str, object]

UNIT = 4096
"""Of the numbers that points are sent in, as in ``front/clouds.js``."""

WEIGHTS = ("averaged", "own")
"""Of which samples are drawn, side by side."""


def loss_view(events: "Sequence[sdnb.training.loop.TrainEvent]") -> View:
    """Return the loss over the steps as a view of a board; there is an event or more."""
    every = ceil(len(events) / LONGEST)
    losses = [event.loss for event in events]
    steps = [event.step for event in events][::every]
    each, means = (rounded(all_[::every], 4) for all_ in (losses, running_means(losses)))
    colour = place_mark(0).colour
    return {
        "kind": "lines",
        "name": "loss",
        "is_half": True,
        "title": tr("training.loss_title"),
        "alt": losses_alt({tr("training.loss"): events}),
        "x": {"from": 0, "to": max(steps[-1], 10), "label": tr("training.step")},
        "y": _span([each]),
        "lines": [
            {"xs": steps, "ys": each, "colour": pale(colour), "weight": 1},
            {"xs": steps, "ys": means, "colour": colour, "label": tr("training.mean")},
        ],
    }


def errors_view(measured: "sdnb.labs.held_training.Measured", timesteps: Sequence[float]) -> View:
    """Return the error over the timesteps as a view of a board; gaps where it is no number."""
    curves = []
    for name, curve in _named(measured).items():
        places = zip(timesteps, rounded(curve.tolist(), 4), strict=True)
        finite = [(t, error) for t, error in places if isfinite(error)]
        curves.append((name, [t for t, _ in finite], [error for _, error in finite]))
    marks = [place_mark(place) for place in range(len(curves))]
    return {
        "kind": "lines",
        "name": "errors",
        "is_half": True,
        "title": tr("training.errors"),
        "alt": error_curve_alt(timesteps, _named(measured)),
        "x": {"from": 0, "to": 1050, "label": tr("plots.t")},
        "y": _span([ys for _, _, ys in curves]),
        "lines": [
            {
                "xs": xs,
                "ys": ys,
                "colour": mark.colour,
                "dash": mark.dash,
                "label": name,
            }
            for (name, xs, ys), mark in zip(curves, marks, strict=True)
        ],
    }


def clouds_view(samples: "Sequence[sdnb.labs.held_training.Sample]", count: int) -> View:
    """Return samples of the plane as a view of a board; their points are in `clouds_data`."""
    return {
        "kind": "clouds",
        "name": "samples",
        "title": tr("plane.clouds"),
        "clouds": [
            {"label": name, "alt": tr("plane.clouds_alt", names=name), "colour": PALETTE[1]}
            for name in weights_named()
        ],
        "count": count,
        "reach": REACH,
        "moments": [*map(moment, samples)],
        "moment": tr("training.moment"),
    }


def pictures_view(samples: "Sequence[sdnb.labs.held_training.Sample]") -> tuple[bytes, View]:
    """Return samples of pictures on one sheet, and as a view of a board that pages through it."""
    frames = [frame for each in samples for name in WEIGHTS for frame in getattr(each, name)]
    count = len(samples[0].own)
    data, cut = slots(frames, widest=min(WIDEST, int(sqrt(ROOM / len(frames)))))
    named, numbers = weights_named(), [str(number + 1) for number in range(count)]
    across = [{"name": "", "labels": numbers, "captions": numbers, "is_whole": True}]
    down = {"name": "", "labels": named, "captions": named, "is_whole": True}
    return data, {
        "kind": "cells",
        "name": "samples",
        "axes": [down, *across * (count > 1)],
        "cells": [_cell(f"{name} {number}") for name in named for number in numbers],
        "frames": cut,
        "moments": [*map(moment, samples)],
        "texts": {"all": "", "moment": tr("training.moment")},
    }


def learned_view(learned: "sdnb.labs.subjects.Learned") -> View:
    """Return what was drawn with what was learned as a view of a board."""
    return {
        "kind": "pictures",
        "name": "learned",
        "empty": "",
        "pictures": [
            {
                "label": tr(f"training.{name}"),
                "source": data_url(jpeg(image, widest=256)),
                "alt": f"{tr(f'training.{name}')}: {result.request.prompt}",
                "caption": result.request.prompt or tr("studio.no_prompt"),
            }
            for name, result in learned.results.items()
            for image in result.images
        ],
    }


def question_view(action: str) -> View:
    """Return what is asked before a long training is given up for another, as a view of a board."""
    answers = ("keep", f"really_{action}")
    return {
        "kind": "question",
        "name": "question",
        "text": tr("training.really"),
        "answers": [{"do": each, "label": tr(f"training.{each}")} for each in answers],
    }


def kept_samples(sample: "sdnb.labs.held_training.Sample") -> str:
    """Return HTML of a sample of pictures, for a reader without a kernel."""
    rows = zip(weights_named(), (getattr(sample, name) for name in WEIGHTS), strict=True)
    said = moment(sample)
    return "".join(
        f"<div>{escape(name)}, {escape(said)}</div>"
        + image_html(row(images, len(images)), f"{name}, {said}", "border-radius:4px")
        for name, images in rows
    )


def kept_learned(learned: "sdnb.labs.subjects.Learned") -> str:
    """Return HTML of what was drawn with what was learned."""
    return "".join(
        kept_picture(
            image, tr(f"training.{name}"), f"{tr(f'training.{name}')}: {each.request.prompt}"
        )
        for name, each in learned.results.items()
        for image in each.images
    )


def clouds_data(
    samples: "Sequence[sdnb.labs.held_training.Sample]", shown: "sdnb.labs.subjects.Points"
) -> bytes:
    """Return the points of the data, then those of each sample, as `UNIT` parts of 1."""
    clouds = [shown, *(getattr(sample, name) for sample in samples for name in WEIGHTS)]
    return array("h", (_part(number) for cloud in clouds for number in _flat(cloud))).tobytes()


def losses_figure(events: "Sequence[sdnb.training.loop.TrainEvent]") -> Figure:
    """Draw the loss over the steps."""
    return plot_losses({tr("training.loss"): events})


def errors_figure(
    measured: "sdnb.labs.held_training.Measured", timesteps: Sequence[float]
) -> Figure:
    """Draw the error over the timesteps."""
    return plot_error_curve(timesteps, _named(measured))


def clouds_figure(
    sample: "sdnb.labs.held_training.Sample", shown: "sdnb.labs.subjects.Points"
) -> Figure:
    """Draw a sample of the plane."""
    drawn = (getattr(sample, name) for name in WEIGHTS)
    return plot_clouds(dict(zip(weights_named(), drawn, strict=True)), shown)


def weights_named() -> tuple[str, ...]:
    """Say which weights a sample is drawn with."""
    return tuple(tr(f"training.{name}") for name in WEIGHTS)


def moment(sample: "sdnb.labs.held_training.Sample") -> str:
    """Say when a sample was drawn."""
    return tr("training.at_step", step=sample.step)


def _part(number: float) -> int:
    """Return a coordinate in `UNIT` parts, at most at the edge; beyond it for one that is none."""
    if isnan(number):
        return round(2 * UNIT * REACH)
    return round(UNIT * min(max(number, -REACH), REACH))


def _cell(label: str) -> View:
    return {"label": label, "state": "finished", "said": "", "is_open": False}


def _named(
    measured: "sdnb.labs.held_training.Measured",
) -> "Mapping[str, sdnb.labs.subjects.Curve]":
    return {tr(f"training.{name}"): curve for name, curve in measured.curves.items()}


def _span(curves: Sequence[Sequence[float]]) -> dict[str, object]:
    values = [value for curve in curves for value in curve] or [1.0]
    label = tr("microscope.error")
    return {"from": 0.8 * min(values), "to": 1.25 * max(values), "label": label, "log": True}


def _flat(points: "sdnb.labs.subjects.Points") -> Iterator[float]:
    return (number for point in points.tolist() for number in point)
