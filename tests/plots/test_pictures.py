"""Rows of pictures, each with its caption."""

import pytest
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.plots.pictures import plot_pictures

RED = Image.new("RGB", (16, 16), "red")


def test_every_picture_stands_in_its_row_under_its_caption():
    # when
    figure = plot_pictures({"step 1": [RED] * 3, "step 9": [RED] * 3}, ["a", "b", "c"])

    # then
    (captions,) = figure.data
    assert captions.text == tuple(f"step {n}<br>{c}" for n in (1, 9) for c in "abc")
    assert figure.alt == "Pictures. 6 pictures: row step 1, row step 9, a, b, c"
    heights = [image.y for image in figure.layout.images]
    assert heights[0] == heights[2] < heights[3] == heights[5]


def test_captions_of_many_lines_have_room_over_the_next_row():
    # when
    short, long = (
        plot_pictures({"": [RED], "again": [RED]}, [caption]) for caption in ("a", "a<br>b<br>c")
    )

    # then
    assert short.data[0].text == ("a", "again<br>a")
    assert long.layout.images[1].y > short.layout.images[1].y
    assert long.layout.height > short.layout.height


@pytest.mark.parametrize(
    ("rows", "captions"), [({"a": [RED], "b": []}, ()), ({"a": [RED]}, ("x", "y")), ({}, ())]
)
def test_rows_of_unequal_length_are_refused(rows, captions):
    with pytest.raises(InvalidField, match="one length"):
        plot_pictures(rows, captions)
