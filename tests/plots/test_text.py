"""Figures of what a text becomes, from values that were made up."""

from dataclasses import replace

import pytest
import torch

from sdnb.comparison.text import TextDistances, TextStages
from sdnb.comparison.tokens import Split
from sdnb.conditioning import Token
from sdnb.plots.text import plot_norms, plot_stages, plot_text_distances, stage_name
from tests.plots.conftest import SVG


@pytest.fixture
def followed():
    marks = [Token(8, "<|startoftext|>", (0, 0)), *[Token(9, "<|endoftext|>", (0, 0))] * 3]
    chunk = (marks[0], Token(1, "cat</w>", (0, 3), piece="cat"), *marks[1:])
    split = Split(text="cat", encoder="text_encoder", chunks=(chunk,))
    stages = {name: torch.randn(5, 6) for name in ("embedding", "output")}
    return TextStages(split=split, stages=stages)


def said(svg):
    return ["".join(element.itertext()) for element in svg.iter(f"{SVG}text")]


def test_rows_are_tokens_from_the_start_to_the_end_mark(followed, drawn):
    figure = plot_stages(followed)
    assert [len(trace.z) for trace in figure.data] == [3, 3]
    assert {len(row) for row in figure.data[0].z} == {6}
    assert "cat" in said(drawn(figure))
    assert "embedding, output" in figure.alt


def test_a_long_text_does_not_push_its_title_off_the_figure(followed):
    text = "a cat on a mat " * 9
    long = replace(followed, split=replace(followed.split, text=text))
    figure = plot_stages(long)
    assert len(figure.layout.title.text) < 70
    assert text in figure.alt


def test_norms_are_written_into_their_cells(followed, drawn):
    # given
    norms = {name: values[:3].norm(dim=1) for name, values in followed.stages.items()}

    # when
    figure = plot_norms(followed)

    # then: a row a token, a column a stage
    assert [len(row) for row in figure.data[0].z] == [2, 2, 2]
    assert figure.data[0].z[1][1] == pytest.approx(float(norms["output"][1]), rel=1e-2)
    assert f"{float(norms['embedding'][2]):.1f}" in said(drawn(figure))
    assert {"cat", "embedding", "output"} <= set(said(drawn(figure)))


def test_stages_have_names_in_the_language_that_is_set():
    assert [*map(stage_name, ("with position", "layer 3"))] == ["with position", "layer 3"]


def test_distances_name_the_tokens_and_the_empty_prompt(drawn):
    far = TextDistances(
        tokens=("<|startoftext|>", "cat", "<|endoftext|>"),
        others=("(cat:2)", ""),
        values=torch.tensor([[0.0, 2.0, 0.0], [0.0, 1.0, 1.0]]),
    )
    figure = plot_text_distances(far)
    assert {"cat", "(cat:2)", "(empty)"} <= set(said(drawn(figure)))
    assert "at most 2" in figure.alt
