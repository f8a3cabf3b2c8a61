"""Heat maps of words: values that were made up, so that it is known where they are."""

import re
from base64 import b64decode
from io import BytesIO

import pytest
import torch
from PIL import Image

from sdnb.plots.attention import plot_word_maps, plot_word_steps
from sdnb.plots.static import to_svg

WORDS = ("large", "<b>blue", "house")


@pytest.fixture
def maps():
    """One hot cell for each word and step: word w is hot in row w, step s in column s."""
    heat = torch.zeros(3, 4, 6, 8)
    for word in range(3):
        for step in range(4):
            heat[word, step, word, step] = 1.0
    return heat


def test_every_word_has_its_map_over_a_picture(maps):
    # given
    picture = Image.new("RGB", (80, 60), "red")

    # when
    figure = plot_word_maps(picture, dict(zip(WORDS, maps[:, 0], strict=True)))

    # then
    heatmaps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert [trace.meta for trace in heatmaps] == ["large", "&lt;b&gt;blue", "house"]
    for word, trace in enumerate(heatmaps):
        assert trace.z[word][0] == 1.0
        assert sum(map(sum, trace.z)) == 1.0
    for trace, image in zip(heatmaps, figure.layout.images, strict=True):
        assert min(trace.x) > image.x - image.sizex / 2
        assert max(trace.x) < image.x + image.sizex / 2
        assert (min(trace.y) + max(trace.y)) / 2 == pytest.approx(image.y, abs=1e-4)


def test_a_map_is_as_wide_and_high_as_its_picture(maps):
    figure = plot_word_maps(Image.new("RGB", (80, 60)), {"house": maps[0, 0]})
    (image,) = figure.layout.images
    trace = figure.data[0]
    assert 8 * (trace.x[1] - trace.x[0]) == pytest.approx(image.sizex, abs=1e-3)
    assert 6 * (trace.y[1] - trace.y[0]) == pytest.approx(image.sizey, abs=1e-3)


def test_a_map_is_scaled_to_its_maximum_which_stands_under_it(maps):
    figure = plot_word_maps(Image.new("RGB", (8, 8)), {"house": 0.057 * maps[0, 0]})

    assert max(map(max, figure.data[0].z)) == 1.0
    assert "at most 5.7%" in to_svg(figure)


def test_a_row_of_steps_has_one_scale(maps):
    shares = torch.stack([0.1 * maps[0, 0], 0.05 * maps[0, 1]])[None]
    (row,) = plot_word_steps(shares, ["house"], [0, 1]).data

    values = [value for line in row.z for value in line if value]
    assert sorted(values) == [0.5, 1.0]


def test_all_maps_share_one_colour_bar(maps):
    pictures = plot_word_maps(Image.new("RGB", (8, 8)), dict(zip(WORDS, maps[:, 0], strict=True)))
    grid = plot_word_steps(maps, WORDS, range(4))
    for figure in (pictures, grid):
        heatmaps = [trace for trace in figure.data if trace.type == "heatmap"]
        assert {(trace.zmin, trace.zmax) for trace in heatmaps} == {(0.0, 1.0)}
        assert [trace.showscale for trace in heatmaps] == [True, False, False]


@pytest.mark.parametrize("colour", ["red", "black", "white"])
def test_the_picture_under_a_map_is_grey_and_pale(maps, colour):
    figure = plot_word_maps(Image.new("RGB", (8, 8), colour), {"house": maps[0, 0]})
    source = figure.layout.images[0].source.partition(",")[2]
    with Image.open(BytesIO(b64decode(source))) as under:
        red, green, blue = under.convert("RGB").getpixel((4, 4))
    assert red == green == blue >= 191


def test_the_grid_has_a_row_for_each_word_and_a_column_for_each_step(maps):
    # when
    figure = plot_word_steps(maps, WORDS, [0, 5, 10, 15])

    # then
    places, labels = figure.layout.xaxis.tickvals, figure.layout.xaxis.ticktext
    assert labels == ("0", "5", "10", "15")
    assert figure.layout.yaxis.ticktext[2] == "house<br>at most 100.0%"
    for word, trace in enumerate(figure.data):
        hot = [x for x, value in enumerate(trace.z[word]) if value == 1.0]
        assert hot == [round(place - 3.5) + step for step, place in enumerate(places)]
        assert None in trace.z[0]
        middle = (min(trace.y) + max(trace.y)) / 2
        assert middle == figure.layout.yaxis.tickvals[word]


def test_both_have_a_still_picture_with_the_words_as_text(maps):
    pictures = plot_word_maps(Image.new("RGB", (8, 8)), dict(zip(WORDS, maps[:, 0], strict=True)))
    for figure in (pictures, plot_word_steps(maps, WORDS, range(4))):
        texts = re.findall("<text[^>]*>(.*?)</text>", to_svg(figure), re.DOTALL)
        for word in ("large", "&lt;b&gt;blue", "house"):
            assert any(word in text for text in texts), word
        assert all(word in figure.alt for word in WORDS)
