import json
from dataclasses import replace

import pytest

from sdnb.comparison.schedules import NoiseCurve, ScheduleCurve
from sdnb.plots.schedules import plot_schedules
from sdnb.plots.static import to_svg
from sdnb.plots.theme import schedule_mark

Curves = tuple[ScheduleCurve, ...]


def test_it_draws_every_schedule_in_four_ways(curves: Curves, noise: NoiseCurve) -> None:
    figure = plot_schedules(curves, noise)
    drawn = [trace.xaxis or "x" for trace in figure.data if trace.name == "karras"]
    assert sorted(drawn) == ["x", "x2", "x3", "x4"]
    assert sum(bool(trace.showlegend) for trace in figure.data) == len(curves)


def test_every_axis_has_a_unit(curves: Curves, noise: NoiseCurve) -> None:
    layout = plot_schedules(curves, noise).to_plotly_json()["layout"]
    axes = [value for key, value in layout.items() if key[1:5] == "axis"]
    shown = [axis for axis in axes if axis.get("visible") is not False]
    assert len(shown) == 13
    assert all("(" in axis["title"]["text"] for axis in shown)


def test_the_hover_tells_level_timestep_and_ratio(curves: Curves, noise: NoiseCurve) -> None:
    trace = plot_schedules(curves, noise).data[0]
    assert trace.customdata[1] == pytest.approx([3.0, 700.0, 1 / 9], rel=1e-3)
    assert all(word in trace.hovertemplate for word in ("σ", "t ", "SNR"))


def test_the_model_s_range_is_marked(curves: Curves, noise: NoiseCurve) -> None:
    shapes = plot_schedules(curves, noise).layout.shapes
    assert (shapes[0].y0, shapes[0].y1) == (0.3, 3.0)


def test_pictures_stand_at_their_timesteps(curves: Curves, noise: NoiseCurve) -> None:
    figure = plot_schedules(curves, noise)
    assert [image.x for image in figure.layout.images] == [1, 1]
    assert to_svg(figure).count("<image") == 2


def test_without_pictures_there_is_no_row_for_them(curves: Curves, noise: NoiseCurve) -> None:
    figure = plot_schedules(curves, replace(noise, pictures=()))
    assert not figure.layout.images
    assert "xaxis7" not in figure.to_plotly_json()["layout"]


def test_a_schedule_keeps_its_colour(curves: Curves, noise: NoiseCurve) -> None:
    for trace in plot_schedules(curves[::-1], noise).data[:8]:
        assert trace.line.color == schedule_mark(trace.name).colour


def test_its_numbers_are_plain_and_short(curves: Curves, noise: NoiseCurve) -> None:
    written = json.dumps(plot_schedules(curves, replace(noise, pictures=())).to_plotly_json())
    assert "bdata" not in written
    assert len(written) < 20_000
