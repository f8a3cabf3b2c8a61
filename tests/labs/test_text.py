"""A text that is looked at while it is typed: what lenses find, and what is said of mistakes."""

from threading import Event

import pytest
import torch

from sdnb.comparison.text import follow_text, text_distances, word_vectors
from sdnb.comparison.vectors import Projected, similarity
from sdnb.errors import InvalidField
from sdnb.labs.text import EXAMPLE, LENSES, TextLab
from sdnb.labs.typed_text import read_sum, read_weight, read_words
from sdnb.request import GenerationRequest

PATIENCE = 60.0


@pytest.fixture(scope="module")
def lab(pipe):
    return TextLab(pipe)


@pytest.fixture(autouse=True)
def begun(lab):
    """Every test begins with the same text."""
    with lab.hold_trait_notifications():
        lab.text, lab.lens, lab.syntax = EXAMPLE, "vectors", "comfyui"
        lab.words, lab.weighed, lab.method = "", (), "pca"
    assert lab.wait(PATIENCE)


def looked(lab, lens, **typed):
    """What a lens finds, of what is typed."""
    for name, value in {**typed, "lens": lens}.items():
        setattr(lab, name, value)
    assert lab.wait(PATIENCE)
    return lab.seen.found


def test_a_lab_begins_with_the_prompt_of_a_request(pipe):
    # when
    lab = TextLab(pipe, GenerationRequest(prompt="a (red:1.3) circle", negative_prompt="snow"))
    assert lab.wait(PATIENCE)

    # then: brackets weigh, and are no tokens
    assert (lab.text, lab.other) == ("a (red:1.3) circle", "snow")
    assert [token.weight for token in lab.seen.split.tokens] == [1.0, 1.3, 1.0]
    assert lab.errors == {}


@pytest.mark.parametrize("lens", LENSES)
def test_each_lens_finds_something_of_the_example(lab, lens):
    assert looked(lab, lens) is not None
    assert lab.seen.lens == lens
    assert lab.errors == {}


def test_words_of_the_text_are_alike_in_the_table_and_differ_behind_the_transformer(lab):
    # given: "a" stands twice in it
    first, second = 0, 5

    # when
    table, output = (looked(lab, "similarity", stage=stage) for stage in ("embedding", "output"))

    # then
    assert table.names == tuple(EXAMPLE.split())
    assert float(table.cosines[first, second]) == pytest.approx(1, abs=1e-5)
    assert float(output.cosines[first, second]) < 0.99


def test_other_words_are_compared_as_the_library_compares_them(lab, pipe):
    found = looked(lab, "similarity", words="red, blue,, house ", stage="embedding")
    expected = similarity(word_vectors(pipe, ["red", "blue", "house"]))
    assert found.names == ("red", "blue", "house")
    assert torch.allclose(found.cosines, expected, atol=1e-5)


def test_a_sum_has_its_rank_among_common_texts_and_those_that_are_asked_for(lab):
    found = looked(lab, "sum", sum="red circle - red + blue", expected="blue circle")
    assert found.analogy.rank("blue circle") == 1
    assert len(found.analogy.ranked) > 100
    again = looked(lab, "sum", expected="a blue circle at night")
    assert len(again.analogy.ranked) == len(found.analogy.ranked) + 1


def test_a_map_has_each_word_once_beside_all_that_a_small_model_knows(lab, pipe):
    found = looked(lab, "map")
    names = found.projected.names
    assert len(set(names)) == len(names)
    assert set(names) == {*pipe.components.words}
    assert found.projected.points.shape == (len(names), 2)


def test_umap_lays_the_map_where_it_is_installed(lab, monkeypatch):
    # given
    monkeypatch.setattr("sdnb.labs.text.find_spec", lambda name: name == "umap")
    monkeypatch.setattr(
        "sdnb.labs.lenses.neighbour_map",
        lambda vectors: Projected(names=vectors.names, points=vectors.values[:, :2]),
    )

    # when
    found = looked(lab, "map", method="umap")

    # then: it has no axes with shares
    assert lab.methods == ("pca", "umap")
    assert found.projected.shares == ()


def test_an_encoder_that_the_checkpoint_has_not_is_refused_at_once(lab):
    with pytest.raises(InvalidField, match="no such text encoder"):
        lab.encoder = 1
    assert lab.encoder == 0


def test_a_weight_moves_the_chosen_word_and_is_written_as_a_prompt(lab, pipe):
    # when
    found = looked(lab, "weight", weighed=("blue",), weight="3")

    # then
    assert found.prompt == "a large (blue:3) house on a meadow"
    assert found.distances.others == ("× 0", "× 0.5", "× 1", "× 1.5", "× 2", "× 3")
    expected = text_distances(pipe, EXAMPLE, [found.prompt]).values[0]
    assert torch.allclose(found.distances.values[-1], expected, atol=1e-4)
    assert int(expected.argmax()) == found.distances.tokens.index("blue")
    assert dict(lab.weighable)["blue"] and not dict(lab.weighable)["house"]


def test_the_empty_text_shares_the_start_mark_alone(lab):
    found = looked(lab, "empty", other="snow")
    assert found.others == ("", "snow")
    assert float(found.values[0, 0]) < 1e-3 < float(found.values[0, 1:].min())


@pytest.mark.parametrize(
    ("lens", "typed", "field"),
    [
        ("nearest", {"word": " "}, "word"),
        ("sum", {"sum": "red - "}, "sum"),
        ("sum", {"sum": ""}, "sum"),
        ("weight", {"weight": "much"}, "weight"),
        ("weight", {"weight": "1e9"}, "weight"),
        ("weight", {"syntax": "plain", "weight": "2"}, "weight"),
        ("weight", {"text": "", "weight": "2"}, "weight"),
        ("similarity", {"text": ""}, "words"),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_the_last_good_view_stays(lab, lens, typed, field):
    # given
    good = looked(lab, lens, word="red", sum="red + blue", weight="1.5")

    # when
    shown = looked(lab, lens, **typed)

    # then: all four parts
    error = lab.errors[field]
    assert list(lab.errors) == [field]
    assert all((error.what, error.allowed, error.fix)) and error.given is not None
    assert shown is good


def test_typing_waits_for_nobody_and_the_newest_text_wins(lab, monkeypatch):
    # given: a look that takes long
    entered, may_go, looks = Event(), Event(), []

    def slow(lens, typed):
        looks.append(typed.text)
        entered.set()
        assert may_go.wait(PATIENCE)
        return follow_text(lab.pipe, typed.text)

    monkeypatch.setattr(lab._lenses, "look", slow)

    # when
    lab.text = "a red cat"
    assert entered.wait(PATIENCE)
    for text in ("a", "a blue", "a blue star"):
        lab.text = text
    may_go.set()
    assert lab.wait(PATIENCE)

    # then
    assert looks == ["a red cat", "a blue star"]
    assert lab.seen.split.text == "a blue star"


def test_signs_stand_between_spaces():
    assert read_sum("red circle - red + blue") == (("red circle", "blue"), ("red",))
    assert read_sum("king \N{MINUS SIGN} man + t-shirt") == (("king", "t-shirt"), ("man",))
    assert read_sum(" - night") == ((), ("night",))
    with pytest.raises(InvalidField, match="behind each sign"):
        read_sum("red + + blue")


def test_words_stand_between_commas_once():
    assert read_words(" red,  blue  house ,red,") == ("red", "blue house")
    assert read_words("") == ()


def test_a_weight_is_read_with_a_comma_too():
    assert read_weight("1,5") == 1.5
    with pytest.raises(InvalidField, match="a weight is a number"):
        read_weight("nan")
