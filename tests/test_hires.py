"""A second pass, as it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnb.errors import InvalidField, UnknownName
from sdnb.hires import UPSCALES, Hires
from sdnb.request import GenerationRequest

HIRES = st.builds(
    Hires,
    scale=st.floats(1, 8),
    denoise=st.floats(0.001, 1),
    steps=st.none() | st.integers(1, 1000),
    upscale=st.sampled_from(UPSCALES),
)


@given(hires=HIRES)
def test_what_is_written_is_read_back(hires):
    # given
    request = GenerationRequest(hires=hires)

    # then
    assert Hires.parse(str(hires)) == hires
    assert GenerationRequest.from_json(request.to_json()) == request


@given(hires=HIRES, pixels=st.integers(1, 128).map(lambda eighth: eighth * 8))
def test_a_side_is_a_multiple_of_8_as_near_as_can_be(hires, pixels):
    side = hires.side(pixels)
    assert side % 8 == 0
    assert abs(side - pixels * hires.scale) <= 4


@pytest.mark.parametrize(
    ("text", "hires"),
    [
        ("2x", Hires()),
        ("1.5", Hires(scale=1.5)),
        ("2x denoise=0.3 steps=7 upscale=latent", Hires(denoise=0.3, steps=7, upscale="latent")),
    ],
)
def test_options_may_be_left_out(text, hires):
    assert Hires.parse(text) == hires
    assert GenerationRequest(hires=text).hires == hires


@pytest.mark.parametrize(
    "text",
    [
        *("", "x2", "2y", "0.5x", "9x", "nan"),
        *("2x denoise", "2x denoise=0", "2x denoise=2", "2x denoise=much"),
        *("2x steps=0", "2x steps=2.5", "2x steps=true", "2x upscale=7"),
    ],
)
def test_what_cannot_be_is_refused(text):
    with pytest.raises((InvalidField, UnknownName)):
        Hires.parse(text)


def test_unknown_options_and_ways_are_told_the_known_ones():
    with pytest.raises(UnknownName, match="denoise"):
        Hires.parse("2x denois=0.5")
    with pytest.raises(UnknownName, match="latent_nearest"):
        Hires(upscale="nearest")


def test_a_request_takes_a_second_pass_or_its_text_only():
    with pytest.raises(InvalidField, match="hires"):
        GenerationRequest(hires=2)
