"""Figures of named vectors, from values that were made up."""

import json
from dataclasses import replace

import pytest
import torch

from sdnb.comparison.vectors import Vectors, analogy, nearest, principal_axes, similarity
from sdnb.plots.figure import PLOTLY
from sdnb.plots.vectors import plot_analogy, plot_nearest, plot_projection, plot_similarity
from tests.plots.conftest import SVG

NAMES = ("red", "<b>blue", "circle", "red circle")


@pytest.fixture
def vectors():
    generator = torch.Generator().manual_seed(0)
    return Vectors(NAMES, torch.randn(4, 6, generator=generator))


def said(svg):
    return ["".join(element.itertext()) for element in svg.iter(f"{SVG}text")]


def test_every_pair_has_its_cell_and_its_number(vectors, drawn):
    figure = plot_similarity(vectors.names, similarity(vectors))
    assert len(figure.data[0].z) == 4
    texts = said(drawn(figure))
    assert texts.count("1.00") == 4
    assert "<b>blue" in texts  # a name is text, whatever it looks like


def test_a_large_matrix_has_no_numbers():
    names = [str(i) for i in range(20)]
    assert len(plot_similarity(names, torch.eye(20)).data) == 1


def test_the_expected_name_is_marked_by_more_than_its_colour(vectors):
    # given
    found = analogy(vectors, ["red", "circle"])
    # when
    figure = plot_analogy(found, "<b>blue", count=1)
    # then
    rank = found.rank("<b>blue")
    assert figure.data[0].y[-1] == f"→ {rank} · &lt;b&gt;blue"
    assert f"rank {rank} of 4" in figure.layout.title.text
    assert len(figure.data[0].y) == 2


def test_the_nearest_are_on_top(vectors):
    figure = plot_nearest(nearest(vectors, vectors.of("red")), title="Nearest")
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.data[0].y[0] == "1 · red"
    assert "1 red 1.00" in figure.alt


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_map_has_a_still_picture_on_two_axes_and_on_three(vectors, drawn, dimensions):
    # when
    figure = plot_projection(principal_axes(vectors, dimensions), {"colours": ["red", "<b>blue"]})
    # then
    assert [trace.name for trace in figure.data] == ["colours", "others"]
    texts = said(drawn(figure))
    assert {"red", "circle", "colours", "others"} <= set(texts)
    bundle = figure._repr_mimebundle_()
    assert "<img alt=" in bundle["text/html"]
    assert json.dumps(bundle[PLOTLY])


def test_axes_say_how_much_they_show_or_that_they_have_no_unit(vectors):
    shown = principal_axes(vectors)
    figure = plot_projection(shown)
    share = f"{100 * shown.shares[0]:.0f}"
    assert figure.layout.xaxis.title.text == f"axis 1 ({share} % of the variance)"

    figure = plot_projection(replace(shown, shares=()))
    assert figure.layout.yaxis.title.text == "UMAP 2 (no unit)"
