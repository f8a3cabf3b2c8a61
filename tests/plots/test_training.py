"""Losses on their way."""

import pytest

from sdnb.plots.training import LONGEST, plot_losses
from sdnb.training.loop import TrainEvent


def events(*losses):
    return [
        TrainEvent(step=step, loss=loss, lr=1e-3, seconds=float(step), progress=0.1)
        for step, loss in enumerate(losses, 1)
    ]


def test_a_curve_is_the_running_mean_of_the_losses(drawn):
    # when
    figure = plot_losses({"moons": events(1.0, 0.5, 0.3, 0.1)}, window=2)

    # then
    pale, strong = figure.data
    assert pale.y == (1.0, 0.5, 0.3, 0.1)
    assert strong.y == pytest.approx((1.0, 0.75, 0.4, 0.2))
    assert strong.x == (1, 2, 3, 4)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert "(" in axis.title.text
    assert "after 4 steps" in drawn(figure).get("aria-label")


def test_a_training_that_has_not_begun_can_be_drawn(drawn):
    figure = plot_losses({"moons": []})
    assert "not begun" in figure.alt
    assert drawn(figure) is not None


def test_two_trainings_are_told_apart_and_long_ones_are_thinned():
    # when
    figure = plot_losses({"first": events(*[0.5] * 599), "second": events(0.4)})

    # then
    assert len(figure.data[0].x) <= LONGEST
    first, second = (trace for trace in figure.data if trace.showlegend)
    assert (first.line.color, first.line.dash) != (second.line.color, second.line.dash)
