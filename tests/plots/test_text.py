"""Figures of what a text becomes, from values that were made up."""

import pytest
import torch

from sdnb.comparison.text import TextDistances, TextStages
from sdnb.comparison.tokens import Split
from sdnb.conditioning import Token
from sdnb.plots.text import plot_stages, plot_text_distances
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


def test_distances_name_the_tokens_and_the_empty_prompt(drawn):
    far = TextDistances(
        tokens=("<|startoftext|>", "cat", "<|endoftext|>"),
        others=("(cat:2)", ""),
        values=torch.tensor([[0.0, 2.0, 0.0], [0.0, 1.0, 1.0]]),
    )
    figure = plot_text_distances(far)
    assert {"cat", "(cat:2)", "(empty)"} <= set(said(drawn(figure)))
    assert "at most 2" in figure.alt
