"""Named vectors: similarity, nearest, sums of words, maps; on vectors whose answer is known."""

import pytest
import torch

from sdnb.comparison import vectors as asked
from sdnb.comparison.vectors import (
    Vectors,
    analogy,
    nearest,
    neighbour_map,
    principal_axes,
    similarity,
)
from sdnb.errors import InvalidField

COLOURS, KINDS = ("red", "blue", "green"), ("circle", "house")


@pytest.fixture
def sums():
    """Give phrases that are the sums of their words, each with a direction of its own."""
    parts = dict(zip((*COLOURS, *KINDS), torch.eye(5), strict=True))
    phrases = {f"{c} {k}": parts[c] + parts[k] for c in COLOURS for k in KINDS}
    named = parts | phrases
    return Vectors(tuple(named), torch.stack(list(named.values())))


def test_similarity_is_the_cosine(sums):
    # when
    table = similarity(sums)
    # then
    i, j, k = (sums.names.index(name) for name in ("red", "blue", "red circle"))
    assert torch.allclose(table, table.T) and torch.allclose(table.diag(), torch.ones(len(table)))
    assert table[i, j] == 0
    assert table[i, k] == pytest.approx(0.5**0.5)


def test_the_nearest_come_first(sums):
    found = nearest(sums, sums.of("red"), 3)
    assert [each.rank for each in found] == [1, 2, 3]
    assert found[0].name == "red" and {each.name for each in found[1:]} == {
        "red circle",
        "red house",
    }


def test_a_sum_of_words_leads_to_the_phrase_it_spells(sums):
    # when
    found = analogy(sums, ["red circle", "blue"], ["red"])
    # then
    assert str(found) == "red circle + blue − red"
    assert (found.rank("blue circle"), found.rank_beside_terms("blue circle")) == (1, 1)
    assert len(found.ranked) == len(sums.names)


def test_a_rank_beside_the_terms_leaves_out_those_before_it():
    # given: the sum lies nearest to one of its own terms
    named = Vectors(
        ("king", "man", "woman", "queen"),
        torch.tensor([[1.0, 0.0], [0.0, 0.1], [0.0, 0.3], [0.8, 0.6]]),
    )
    # when
    found = analogy(named, ["king", "woman"], ["man"])
    # then
    assert [each.name for each in found.ranked[:2]] == ["king", "queen"]
    assert (found.rank("queen"), found.rank_beside_terms("queen")) == (2, 1)
    assert found.rank_beside_terms("king") == 1


def test_a_name_without_a_vector_is_refused(sums):
    with pytest.raises(InvalidField, match="one of 11"):
        analogy(sums, ["yellow"])
    with pytest.raises(InvalidField, match="candidates"):
        analogy(sums, ["red"]).rank("yellow")
    with pytest.raises(InvalidField, match="its name"):
        Vectors(("red",), torch.zeros(2, 3))


def test_principal_axes_keep_the_distances_of_what_lies_in_a_plane():
    # given
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(6, 2, generator=generator) @ torch.randn(2, 9, generator=generator)
    # when
    drawn = principal_axes(Vectors(tuple("abcdef"), flat), 2)
    # then
    assert torch.allclose(
        torch.cdist(drawn.points, drawn.points), torch.cdist(flat, flat), atol=1e-4
    )
    assert sum(drawn.shares) == pytest.approx(1) and drawn.shares[0] >= drawn.shares[1]
    assert principal_axes(Vectors(tuple("abcdef"), flat), 3).points.shape == (6, 3)


def test_more_axes_than_vectors_have_are_refused(sums):
    with pytest.raises(InvalidField, match=r"1 … 5"):
        principal_axes(sums, 6)


def test_a_map_without_its_library_says_what_to_install(sums, monkeypatch):
    monkeypatch.setattr(asked, "find_spec", lambda _name: None)
    with pytest.raises(InvalidField, match="pip install umap-learn"):
        neighbour_map(sums)


def test_a_map_is_what_the_library_makes_of_the_vectors(sums, monkeypatch):
    # given: a library that keeps the first numbers
    class Kept:
        def __init__(self, **options):
            self.count = options["n_components"]

        def fit_transform(self, values):
            return values[:, : self.count]

    monkeypatch.setattr(asked, "find_spec", lambda _name: object())
    monkeypatch.setattr(asked, "import_module", lambda _name: type("umap", (), {"UMAP": Kept}))
    # when
    drawn = neighbour_map(sums, 3)
    # then
    assert torch.equal(drawn.points, sums.values[:, :3])
    assert drawn.shares == ()
