"""Arrows, ways and clouds in the plane."""

import re

import pytest
import torch

from sdnb.comparison.plane import Field, Walk, score_field
from sdnb.diffusion.analytic import two_moons
from sdnb.plots.plane import MOST, REACH, plot_clouds, plot_fields, plot_walks
from sdnb.plots.theme import PALETTE
from tests.plots.conftest import SVG

DATA = torch.linspace(-1, 1, 40).reshape(20, 2)


def field(sigma=0.5):
    """Two places: the left one is sent up, the right one to the left."""
    points, ends = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), torch.tensor([[-1.0, 4.0], [0.0, 0.0]])
    return Field(sigma, points, ends)


def walk(name, evaluations=3):
    states = torch.tensor([[[2.0, 2.0]], [[1.0, 1.5]], [[0.5, 0.0]]])
    return Walk(name=name, sigmas=(2.0, 1.0, 0.0), states=states, evaluations=evaluations)


def test_an_arrow_starts_at_its_place_and_points_where_it_is_sent():
    # when
    figure = plot_fields([field()], DATA)

    # then
    (arrows,) = (trace for trace in figure.data if trace.mode == "lines")
    up, left = ([i, i + 1] for i in (0, 6))
    assert [arrows.x[i] for i in up] == [-1, -1]
    assert arrows.y[up[0]] == 0 < arrows.y[up[1]]
    assert [arrows.y[i] for i in left] == [0, 0]
    assert arrows.x[left[0]] == 1 > arrows.x[left[1]]
    assert arrows.x[5] is None  # a gap, so that arrows are not joined


def test_every_field_has_its_level_and_all_show_the_same_square(drawn):
    # when
    figure = plot_fields([field(2.0), field(0.25)], DATA)

    # then
    assert [note.text for note in figure.layout.annotations] == ["σ 2", "σ 0.25"]
    for axis in (figure.layout.xaxis, figure.layout.yaxis, figure.layout.xaxis2):
        assert tuple(axis.range) == (-REACH, REACH)
    assert figure.layout.yaxis2.scaleanchor == "x2"
    assert drawn(figure).get("aria-label") == figure.alt
    assert "0.25" in figure.alt


def test_a_walk_goes_from_a_ring_to_a_star_and_says_what_it_cost():
    # when
    figure = plot_walks([walk("euler"), walk("heun", 5)], DATA)

    # then
    assert "heun, 5 evaluations" in [note.text for note in figure.layout.annotations]
    ways = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert ways[0].x == (2, 1, 0.5)
    assert (ways[0].marker.symbol[0], ways[0].marker.symbol[-1]) == ("circle-open", "star")
    assert ways[0].line.color != ways[1].line.color


@pytest.mark.parametrize("count", [10, 1000])
def test_a_cloud_lies_over_the_data_and_is_thinned(drawn, count):
    # given
    points = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))

    # when
    figure = plot_clouds({"drawn": points}, DATA)

    # then
    data, cloud = figure.data
    assert len(data.x) == 20 and len(cloud.x) == min(count, MOST)
    assert cloud.marker.color != data.marker.color
    dots = [
        path.get("d") for path in drawn(figure).iter(f"{SVG}path") if PALETTE[1] in str(path.attrib)
    ]
    assert sum(len(re.findall("h0", path)) for path in dots) == (MOST if count > 40 else 0)


def test_a_field_of_many_arrows_is_one_line_in_the_still_picture(drawn):
    # given
    many = score_field(two_moons(), 0.7, side=8)

    # when
    svg = drawn(plot_fields([many], DATA))

    # then
    (arrows,) = (path for path in svg.iter(f"{SVG}path") if path.get("stroke") == PALETTE[0])
    assert arrows.get("d").count("M") == 64
    assert list(svg.iter(f"{SVG}polyline")) == []
