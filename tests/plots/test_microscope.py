"""The curve of a network's error."""

import pytest
import torch

from sdnb.errors import InvalidField
from sdnb.plots.microscope import plot_error_curve


def test_every_timestep_has_its_error_and_the_axes_their_units(drawn):
    # when
    figure = plot_error_curve([50.0, 500.0, 950.0], {"tiny": torch.tensor([0.8, 0.2, 0.01])})

    # then
    assert figure.data[0].x == (50.0, 500.0, 950.0)
    assert figure.data[0].y == pytest.approx((0.8, 0.2, 0.01), rel=1e-3)
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert "(" in axis.title.text
    assert drawn(figure).get("aria-label") == figure.alt
    assert "0.01 at t 950" in figure.alt


def test_the_dotted_line_is_a_network_that_says_nothing():
    figure = plot_error_curve([500.0], {"tiny": torch.tensor([0.2])})
    assert figure.layout.shapes[0].y0 == 1


def test_two_checkpoints_lie_over_each_other_and_are_told_apart():
    # given
    errors = {"tiny": torch.tensor([0.8, 0.1]), "with LoRA": torch.tensor([0.7, 0.2])}

    # when
    figure = plot_error_curve([50.0, 950.0], errors)

    # then
    assert [trace.name for trace in figure.data] == list(errors)
    for look in ("color", "dash"):
        assert len({trace.line[look] for trace in figure.data}) == 2
    assert all(trace.showlegend for trace in figure.data)
    assert all(name in figure.alt for name in errors)


@pytest.mark.parametrize("errors", [{}, {"tiny": torch.tensor([0.8])}])
def test_a_curve_has_an_error_for_each_timestep(errors):
    with pytest.raises(InvalidField, match="each timestep"):
        plot_error_curve([50.0, 950.0], errors)
