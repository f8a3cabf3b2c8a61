"""Pictures, channels, histograms and paths of latents, from values that were made up."""

import json
from base64 import b64decode
from io import BytesIO
from itertools import pairwise

import pytest
import torch
from PIL import Image

from sdnb.comparison.latents import Frame, Histogram, Projection, Trajectory
from sdnb.plots.latents import plot_channels, plot_film, plot_histograms, plot_trajectories
from sdnb.plots.theme import sampler_mark
from tests.plots.conftest import SVG


def frames(count, size=(32, 32)):
    return [
        Frame(step=step, sigma=14.6 / (step + 1), image=Image.new("RGB", size, "red"))
        for step in range(count)
    ]


@pytest.fixture
def histograms():
    return [
        Histogram(
            sigma=sigma, centres=(-1.0, 0.0, 1.0), density=(0.2, 0.4, 0.2), mean=-0.1, std=1.0
        )
        for sigma in (14.6, 0.0)
    ]


def projected(*names):
    points = ((0.0, 0.0), (1.0, 2.0), (2.0, 3.0))
    runs = [Trajectory(name=name, sigmas=(14.6, 2.0, 0.0), points=points) for name in names]
    return Projection(trajectories=tuple(runs), shares=(0.75, 0.2))


@pytest.fixture
def projection():
    return projected("euler", "heun eta=1")


def test_every_frame_has_its_picture_step_and_level():
    figure = plot_film(frames(10))
    assert len(figure.layout.images) == 10
    (captions,) = figure.data
    assert captions.text[3] == "step 3<br>σ 3.65"
    for image, x in zip(figure.layout.images, captions.x, strict=True):
        assert image.x == x


@pytest.mark.parametrize("count", [1, 2, 8, 9, 20, 50])
def test_pictures_do_not_touch_each_other_or_their_captions(count):
    # when
    figure = plot_film(frames(count, (48, 32)))

    # then
    boxes = [
        (image.x - image.sizex / 2, image.y - image.sizey / 2, image.sizex, image.sizey)
        for image in figure.layout.images
    ]
    right, bottom = figure.layout.xaxis.range[1], figure.layout.yaxis.range[0]
    for (x, y, width, height), below in zip(boxes, figure.data[0].y, strict=True):
        assert 0 <= x < x + width <= right
        assert y + height <= below < bottom
        others = [box for box in boxes if box[:2] != (x, y)]
        assert all(abs(x - a) >= width or y - b >= height or b > below for a, b, *_ in others)


def test_a_picture_keeps_its_shape_in_the_still_picture(drawn):
    # given
    figure = plot_film(frames(3, (48, 32)))

    # when
    images = [
        [float(image.get(key, 0)) for key in ("width", "height")]
        for image in drawn(figure).iter(f"{SVG}image")
    ]

    # then
    for width, height in images:
        assert width / height == pytest.approx(1.5, rel=0.05)


def test_channels_share_a_scale_around_zero():
    latents = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0))
    figure = plot_channels(latents)
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert len(maps) == 4
    assert {-trace.zmin for trace in maps} == {trace.zmax for trace in maps}
    assert maps[0].zmax == pytest.approx(float(latents.abs().max()), rel=0.06)
    assert maps[2].z[1][3] == pytest.approx(float(latents[2, 1, 3]), rel=0.01)
    assert [trace.showscale for trace in maps] == [True, False, False, False]


def test_the_first_row_of_a_channel_is_on_top(drawn):
    # given
    latents = torch.zeros(1, 6, 6)
    latents[0, 0] = 1.0

    # when
    figure = plot_channels(latents)
    bottom, top = figure.layout.yaxis.range

    # then
    assert bottom > top
    assert figure.data[0].y[0] < figure.data[0].y[-1]
    (picture,) = drawn(figure).iter(f"{SVG}image")
    with Image.open(BytesIO(b64decode(picture.get("href", "").partition(",")[2]))) as image:
        above, below = image.getpixel((0, 0)), image.getpixel((0, 5))
    assert above[0] - above[2] > 200  # orange
    assert abs(below[0] - below[2]) < 5  # white


def test_channels_that_are_all_zero_can_be_drawn():
    assert plot_channels(torch.zeros(4, 2, 2)).data[0].zmax == 1.0


def test_every_histogram_stands_beside_the_unit_gaussian(histograms):
    figure = plot_histograms(histograms)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    lines = [trace for trace in figure.data if trace.type == "scatter"]
    assert len(bars) == len(lines) == 2
    assert lines[0].y[1] == pytest.approx(0.3989, abs=1e-3)
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2
    assert figure.layout.annotations[0].text == "σ 14.6: −0.10 ± 1.00"


def test_bars_that_stand_closer_are_thinner(drawn, histograms):
    # when
    inner = drawn(plot_histograms(histograms)).findall(f"{SVG}svg")
    bars = list(inner[0].iter(f"{SVG}rect"))

    # then
    edges = [(float(bar.get("x", 0)), float(bar.get("width", 0))) for bar in bars]
    for (x, width), (x_next, _) in pairwise(edges):
        assert x + width == pytest.approx(x_next, abs=0.1)


def test_a_path_keeps_its_sampler_s_colour_and_marks_both_ends(projection):
    figure = plot_trajectories(projection)
    assert [trace.name for trace in figure.data] == ["euler", "heun eta=1"]
    assert figure.data[1].line.color == sampler_mark("heun").colour
    symbols = figure.data[0].marker.symbol
    assert (symbols[0], symbols[-1]) == ("circle-open", "star")
    assert "75 %" in figure.layout.xaxis.title.text
    assert figure.data[0].customdata[1] == [1, 2.0]


@pytest.mark.parametrize(
    "names",
    [
        ("euler", "euler (2)"),
        ("cfg 1", "cfg 4"),
        ("euler", "with my hook"),
        ("", " "),
        tuple(f"run {number}" for number in range(36)),
    ],
)
def test_runs_that_their_samplers_do_not_tell_apart_look_different(names):
    # when
    figure = plot_trajectories(projected(*names))

    # then
    looks = {(trace.line.color, trace.line.dash) for trace in figure.data}
    assert len(looks) == len(names)
    assert "star" not in {trace.marker.symbol[1] for trace in figure.data}


def test_a_unit_is_as_long_on_both_axes_of_a_projection(drawn, projection):
    # given
    figure = plot_trajectories(projection)

    # when
    line = next(drawn(figure).iter(f"{SVG}polyline"))

    # then
    places = [[float(part) for part in pair.split(",")] for pair in line.get("points").split()]
    (x0, y0), (x1, y1), _ = places
    assert abs(y1 - y0) == pytest.approx(2 * abs(x1 - x0), rel=0.01)
    assert figure.layout.yaxis.scaleanchor == "x"


def test_all_of_them_are_said_in_words_and_have_a_still_picture(drawn, histograms, projection):
    figures = [
        plot_film(frames(3)),
        plot_channels(torch.randn(4, 3, 3), title="x <i>now</i>"),
        plot_histograms(histograms),
        plot_trajectories(projection),
    ]
    for figure in figures:
        assert drawn(figure).get("aria-label") == figure.alt
        assert "bdata" not in json.dumps(figure.to_plotly_json())
