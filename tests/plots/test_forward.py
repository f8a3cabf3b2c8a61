"""Sums of numbers, and questions to the network side by side."""

import pytest
import torch
from PIL import Image

from sdnb.comparison.microscope import Inspection
from sdnb.errors import InvalidField
from sdnb.plots.forward import plot_questions, plot_sum
from tests.plots.conftest import SVG

PICTURE, NOISE = torch.tensor([[20, 200]]), torch.tensor([[16, -30]])
SUM = {"picture": PICTURE, "noise": NOISE, "noisy": PICTURE + NOISE}


def test_a_sum_says_its_numbers_and_signs(drawn):
    # when
    figure = plot_sum(SUM, "+=")
    said = [text for element in drawn(figure).iter() if (text := element.text)]

    # then
    for written in ("20", "16", "36", "-30", "picture", "noisy"):
        assert written in said
    assert [note.text for note in figure.layout.annotations] == ["<b>+</b>", "<b>=</b>"]
    assert figure.alt == "Tables of numbers: picture + noise = noisy"


def test_numbers_are_black_on_every_colour(drawn):
    texts = drawn(plot_sum(SUM, "+=")).iter(f"{SVG}text")
    numbers = [text for text in texts if "36" in "".join(text.itertext())]
    assert [number.get("fill") for number in numbers] == ["black"]


def test_all_tables_are_on_one_scale():
    tables = [trace for trace in plot_sum(SUM, "+=").data if trace.type == "heatmap"]
    assert {(table.zmin, table.zmax) for table in tables} == {(-200, 200)}


@pytest.mark.parametrize("signs", ["+", "+=="])
def test_there_is_a_sign_between_each_two_tables(signs):
    with pytest.raises(InvalidField, match="sign between"):
        plot_sum(SUM, signs)


def test_tables_of_two_sizes_are_refused():
    with pytest.raises(InvalidField, match="one size"):
        plot_sum({"picture": PICTURE, "noise": NOISE[:, :1]}, "+")


def question(t):
    parts = {name: torch.randn(1, 4, 2, 2) for name in ("eps_true", "eps_cond")}
    looks = {name: Image.new("RGB", (16, 16), "red") for name in ("x", "x0")}
    return Inspection(t=t, sigma=1.0, parts=parts, decoded=looks, error=0.1)


def test_every_question_is_a_column_of_four_pictures():
    # when
    figure = plot_questions([question(50.0), question(999.0)])

    # then
    assert len(figure.layout.images) == 8
    (captions,) = figure.data
    assert captions.text[0] == "shown, decoded<br>t 50"
    assert captions.text[-1] == "clean estimate<br>t 999"
    lefts = [image.x for image in figure.layout.images]
    assert lefts[0] == lefts[2] == lefts[4] == lefts[6] < lefts[1]
    assert "50, 999" in figure.alt
