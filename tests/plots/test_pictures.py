"""Rows of pictures, each with its caption."""

import pytest
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.plots.pictures import plot_pictures, plot_rows

RED = Image.new("RGB", (16, 16), "red")


def test_every_picture_stands_in_its_row_under_its_caption():
    # when
    figure = plot_rows({"step 1": [RED] * 3, "step 9": [RED] * 3}, ["a", "b", "c"])

    # then
    (captions,) = figure.data
    assert captions.text == tuple(f"step {n}<br>{c}" for n in (1, 9) for c in "abc")
    assert figure.alt == "Pictures. 6 pictures: row step 1, row step 9, a, b, c"
    heights = [image.y for image in figure.layout.images]
    assert heights[0] == heights[2] < heights[3] == heights[5]


def test_a_long_caption_is_wrapped_and_has_room_over_the_next_row():
    # given
    long = "a large yellow circle in the desert"

    # when
    short, tall = (plot_rows({"": [RED] * 8, "again": [RED] * 8}, [c] * 8) for c in ("a", long))

    # then
    assert short.data[0].text[0] == "a" and short.data[0].text[-1] == "again<br>a"
    lines = tall.data[0].text[0].split("<br>")
    assert " ".join(lines) == long and max(map(len, lines)) < 16
    assert tall.layout.images[8].y > short.layout.images[8].y
    assert tall.layout.height > short.layout.height


def test_what_looks_like_a_tag_is_read_as_it_is_written(drawn):
    figure = plot_rows({"<b>": [RED]}, ["<lora:ink:1> cat"], title="a < b")
    said = "".join(drawn(figure).itertext())
    assert "<b>" in said and "<lora:ink:1> cat" in said and "a < b" in said


def test_pictures_stand_in_rows_with_their_captions(drawn):
    captions = [f"number {i}\nred" for i in range(6)]
    figure = plot_pictures([RED] * 6, captions, title="Six", columns=3)
    assert len({image.y for image in figure.layout.images}) == 2
    assert "number 5" in "".join(drawn(figure).itertext())
    assert "number 5, red" in figure.alt
    assert len(plot_pictures([RED] * 6, title="Six").layout.images) == 6


@pytest.mark.parametrize(
    ("rows", "captions"), [({"a": [RED], "b": []}, ()), ({"a": [RED]}, ("x", "y")), ({}, ())]
)
def test_rows_of_unequal_length_are_refused(rows, captions):
    with pytest.raises(InvalidField, match="one length"):
        plot_rows(rows, captions)
