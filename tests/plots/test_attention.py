"""Heat maps of words: values that were made up, so that it is known where they are."""

from base64 import b64decode
from io import BytesIO

import pytest
import torch
from PIL import Image

from sdnb.plots.attention import draw_word_maps, draw_word_steps
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
    figure = draw_word_maps(picture, dict(zip(WORDS, maps[:, 0], strict=True)))

    # then
    heatmaps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert [trace.meta for trace in heatmaps] == list(WORDS)
    for word, trace in enumerate(heatmaps):
        assert trace.z[word][0] == 1.0
        assert sum(map(sum, trace.z)) == 1.0
    for trace, image in zip(heatmaps, figure.layout.images, strict=True):
        assert min(trace.x) > image.x - image.sizex / 2
        assert max(trace.x) < image.x + image.sizex / 2
        assert (min(trace.y) + max(trace.y)) / 2 == pytest.approx(image.y, abs=1e-4)


def test_a_map_is_as_wide_and_high_as_its_picture(maps):
    figure = draw_word_maps(Image.new("RGB", (80, 60)), {"house": maps[0, 0]})
    (image,) = figure.layout.images
    trace = figure.data[0]
    assert 8 * (trace.x[1] - trace.x[0]) == pytest.approx(image.sizex, abs=1e-3)
    assert 6 * (trace.y[1] - trace.y[0]) == pytest.approx(image.sizey, abs=1e-3)


def test_all_maps_share_one_scale_and_one_colour_bar(maps):
    pictures = draw_word_maps(Image.new("RGB", (8, 8)), dict(zip(WORDS, maps[:, 0], strict=True)))
    grid = draw_word_steps(maps, WORDS, range(4))
    for figure in (pictures, grid):
        heatmaps = [trace for trace in figure.data if trace.type == "heatmap"]
        assert {(trace.zmin, trace.zmax) for trace in heatmaps} == {(0.0, 1.0)}
        assert [trace.showscale for trace in heatmaps] == [True, False, False]


def test_colour_means_attention_only(maps):
    figure = draw_word_maps(Image.new("RGB", (8, 8), "red"), {"house": maps[0, 0]})
    source = figure.layout.images[0].source.partition(",")[2]
    with Image.open(BytesIO(b64decode(source))) as under:
        red, green, blue = under.convert("RGB").getpixel((4, 4))
    assert red == green == blue


def test_the_grid_has_a_row_for_each_word_and_a_column_for_each_step(maps):
    # when
    figure = draw_word_steps(maps, WORDS, [0, 5, 10, 15])

    # then
    places, labels = figure.layout.xaxis.tickvals, figure.layout.xaxis.ticktext
    assert labels == ("0", "5", "10", "15")
    assert figure.layout.yaxis.ticktext == WORDS
    for word, trace in enumerate(figure.data):
        hot = [x for x, value in enumerate(trace.z[word]) if value == 1.0]
        assert hot == [round(place - 3.5) + step for step, place in enumerate(places)]
        assert None in trace.z[0]
        middle = (min(trace.y) + max(trace.y)) / 2
        assert middle == figure.layout.yaxis.tickvals[word]


def test_both_have_a_still_picture_with_the_words_as_text(maps):
    pictures = draw_word_maps(Image.new("RGB", (8, 8)), dict(zip(WORDS, maps[:, 0], strict=True)))
    for figure in (pictures, draw_word_steps(maps, WORDS, range(4))):
        drawn = to_svg(figure)
        assert "house" in drawn
        assert all(word in figure.alt for word in WORDS)
