"""Outpainting: borders around a picture are painted, the picture stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture, outpainted

PICTURE = Picture.of(Image.effect_noise((64, 48), 80))
BORDERS = st.integers(0, 4).map(lambda eighth: eighth * 8)
SIDES = st.fixed_dictionaries(
    {"left": BORDERS, "top": BORDERS, "right": BORDERS, "bottom": BORDERS}
).filter(lambda sides: any(sides.values()))


def pixels(picture):
    return np.asarray(picture.open()).astype(int)


@settings(max_examples=40, deadline=None)
@given(sides=SIDES, feather=st.integers(0, 20))
def test_the_picture_stays_and_its_borders_are_white_in_the_mask(sides, feather):
    # given
    left, top = sides["left"], sides["top"]

    # when
    start = Inpaint.outpaint(PICTURE, **sides, feather=feather)

    # then
    width, height = 64 + left + sides["right"], 48 + top + sides["bottom"]
    assert start.picture.size == start.mask.size == (width, height)
    inner = np.s_[top : top + 48, left : left + 64]
    assert (pixels(start.picture)[inner] == pixels(PICTURE)).all()
    mask = pixels(start.mask)[..., 0]
    deep = np.s_[
        top + feather * bool(top) : top + 48 - feather * bool(sides["bottom"]),
        left + feather * bool(left) : left + 64 - feather * bool(sides["right"]),
    ]
    assert (mask[deep] == 0).all()
    mask[inner] = 255
    assert (mask == 255).all()


def test_the_mask_falls_evenly_from_a_border_into_the_picture():
    # when
    start = Inpaint.outpaint(PICTURE, right=16, feather=16)

    # then
    row = pixels(start.mask)[10, :, 0]
    ramp = row[64 - 16 : 64]
    assert (np.diff(ramp) > 0).all()
    assert np.ptp(np.diff(ramp)) <= 1
    assert 0 < ramp[0] < ramp[-1] < 255


def test_a_border_begins_with_the_colours_of_the_edge():
    # when
    start = Inpaint.outpaint(PICTURE, left=8, bottom=16)

    # then
    extended, old = pixels(start.picture), pixels(PICTURE)
    assert (extended[:48, :8] == old[:, :1]).all()
    assert (extended[48:, 8:] == old[-1:]).all()
    assert (extended[48:, :8] == old[-1, 0]).all()


def test_an_outpainted_picture_keeps_its_pixels_beyond_the_feather(pipe):
    # given
    start = Inpaint.outpaint(PICTURE, right=32, feather=8)
    width, height = start.picture.size

    # when
    result = pipe.run("a red circle", seed=1, steps=3, start=start, width=width, height=height)

    # then
    drawn = np.asarray(result.images[0]).astype(int)
    assert drawn.shape == (48, 96, 3)
    assert (drawn[:, :56] == pixels(PICTURE)[:, :56]).all()
    assert (drawn[:, 64:] != pixels(start.picture)[:, 64:]).any()


@pytest.mark.parametrize(
    ("borders", "what"),
    [
        ({}, "on one side at least"),
        ({"left": 0}, "on one side at least"),
        ({"left": -8}, "whole numbers"),
        ({"left": 8.0}, "whole numbers"),
        ({"left": 8, "feather": -1}, "whole numbers"),
        ({"left": 7}, "no run can have"),
        ({"bottom": 8192}, "no run can have"),
    ],
)
def test_borders_that_cannot_be_are_refused(borders, what):
    with pytest.raises(InvalidField, match=what):
        Inpaint.outpaint(PICTURE, **borders)


def test_a_size_that_does_not_fit_is_told_what_to_add():
    with pytest.raises(InvalidField) as caught:
        Inpaint.outpaint(PICTURE, left=7)
    assert "add 1 pixels to the width and 0 to the height" in caught.value.fix


def test_only_a_picture_without_a_mask_is_extended():
    assert outpainted(FromImage(PICTURE), {"right": 8}) == Inpaint.outpaint(PICTURE, right=8)
    with pytest.raises(InvalidField, match="there is no picture"):
        outpainted(FromNoise(), {"right": 8})
    with pytest.raises(InvalidField, match="its own mask"):
        outpainted(Inpaint(PICTURE, PICTURE), {"right": 8})
    with pytest.raises(InvalidField, match="takes a Picture"):
        Inpaint.outpaint("cat.png", right=8)
