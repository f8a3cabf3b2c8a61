"""Text: the encoder's own answer, tokens with their places, words nobody taught."""

import pytest
import torch

from sdnb.errors import InvalidField
from sdnb.models.text import encode_text, tokenize, unknown_words


def test_the_vectors_are_the_encoders_own(pipe):
    # given
    parts = pipe.components
    ids = torch.tensor(
        [[token.id for token in row] for row in tokenize(parts.texts[0], ["a blue star"])]
    )

    # when
    cond = encode_text(parts, ["a blue star"])

    # then
    assert torch.allclose(cond.embeds, parts.texts[0].network(ids).last_hidden_state, atol=1e-6)
    assert cond.embeds.shape == (1, 77, parts.texts[0].network.config.hidden_size)


def test_every_token_knows_its_place_in_the_prompt(pipe):
    # when
    ((start, *words),) = tokenize(pipe.components.texts[0], ["a blue star"])

    # then
    assert start.span == (0, 0)
    assert [("a blue star"[slice(*word.span)]) for word in words[:3]] == ["a", "blue", "star"]


def test_skipping_layers_gives_other_vectors_as_far_as_there_are_layers(pipe):
    # given
    parts = pipe.components

    # when
    whole, skipped = (encode_text(parts, ["a cat"], skip).embeds for skip in (0, 1))

    # then
    assert not torch.allclose(whole, skipped, atol=1e-3)
    with pytest.raises(InvalidField, match="layer"):
        encode_text(parts, ["a cat"], 3)


def test_unknown_words_are_told_once_in_their_order(pipe):
    assert unknown_words(pipe.components, "A zebra, a red Zebra & 3 lions") == ("zebra", "lions")
    assert unknown_words(pipe.components, "") == ()
    assert unknown_words(pipe.components, "a cat BREAK a dog") == ("dog",)
    assert unknown_words(pipe.components, "a cat BREAK", "plain") == ("break",)


def test_the_tokens_are_those_of_the_tokenizer(pipe):
    # given
    text = "a blue star left of zebra-striped ünïcödé 3 things"
    encoded = pipe.components.texts[0].tokenizer(text, padding="max_length", max_length=77)
    # when
    (row,) = tokenize(pipe.components.texts[0], [text])
    # then
    assert [token.id for token in row] == encoded["input_ids"]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (r"\(cat\), dog", "(cat), dog"),
        ("smile :), cat", "smile :), cat"),
        ("cat [red], dog", "cat [red], dog"),
    ],
)
def test_brackets_that_are_text_are_read_with_what_is_around_them(pipe, prompt, text):
    encoded = pipe.components.texts[0].tokenizer(text, padding="max_length", max_length=77)
    (row,) = tokenize(pipe.components.texts[0], [prompt])
    assert [token.id for token in row] == encoded["input_ids"]
    words = [token for token in row if token.span != (0, 0)]
    assert [prompt[slice(*token.span)].replace("\\", "") for token in words] == [
        token.piece for token in words
    ]


@pytest.mark.parametrize("prompt", ["(red)(cat)", "(red:1.2)(cat:1.2)", "red(cat:1)"])
def test_words_in_brackets_of_their_own_are_words_of_their_own(pipe, prompt):
    (row,) = tokenize(pipe.components.texts[0], [prompt])
    words = [token.piece for token in row if token.span != (0, 0)]
    assert words == ["red", "cat"]


def test_what_does_not_fit_goes_on_in_another_chunk(pipe):
    # given: 74 words, then one of several tokens that would be cut
    tokenizer = pipe.components.texts[0].tokenizer
    long = "red " * 74 + "zebra"
    pieces = tokenizer("zebra", add_special_tokens=False)["input_ids"]
    # when
    (row,) = tokenize(pipe.components.texts[0], [long])
    cond = encode_text(pipe.components, [long, "a cat"])
    # then
    assert len(pieces) > 1 and len(row) == 154
    assert [row[0].id, row[77].id] == [tokenizer.bos_token_id] * 2
    assert [token.id for token in row[78 : 78 + len(pieces)]] == pieces
    assert long[slice(row[78].span[0], row[77 + len(pieces)].span[1])] == "zebra"
    assert cond.embeds.shape[:2] == (2, 154)
    short = encode_text(pipe.components, ["a cat"])
    assert torch.allclose(cond.embeds[1, :77], short.embeds[0], atol=1e-5)
    assert torch.allclose(cond.pooled[1], short.pooled[0], atol=1e-5)


def test_a_word_longer_than_a_chunk_is_cut(pipe):
    (row,) = tokenize(pipe.components.texts[0], ["z" * 300])
    assert len(row) > 77
    assert "".join(token.piece for token in row) == "z" * 300


def test_a_break_begins_a_chunk(pipe):
    # given
    both = encode_text(pipe.components, ["a red cat BREAK a blue dog"])
    # when
    parts = [encode_text(pipe.components, [text]) for text in ("a red cat", "a blue dog")]
    # then
    joined = torch.cat([part.embeds for part in parts], dim=1)
    assert torch.allclose(both.embeds, joined, atol=1e-5)


def test_weights_move_vectors_away_from_those_of_no_text(pipe):
    # given
    bare, nothing = (encode_text(pipe.components, [text]).embeds for text in ("a red cat", ""))
    # when
    cond = encode_text(pipe.components, ["a (red:1.5) cat"])
    # then
    assert [token.weight for token in cond.tokens[0][:5]] == [1, 1, 1.5, 1, 1]
    expected = bare.clone()
    expected[:, 2] = nothing[:, 2] + 1.5 * (bare - nothing)[:, 2]
    assert torch.allclose(cond.embeds, expected, atol=1e-5)


def test_weights_in_a1111_s_meaning_keep_the_mean(pipe):
    # given
    bare = encode_text(pipe.components, ["a red cat"]).embeds
    # when
    weighed = encode_text(pipe.components, ["a [red] cat"], syntax="a1111").embeds
    # then
    assert weighed.mean().item() == pytest.approx(bare.mean().item(), rel=1e-4)
    ratio = weighed / bare
    assert torch.allclose(ratio[:, 2] * 1.1, ratio[:, 3], rtol=1e-3)


def test_brackets_are_text_where_they_mean_nothing(pipe):
    plain = encode_text(pipe.components, ["(cat)"], syntax="plain")
    assert [token.piece for token in plain.tokens[0][1:4]] == ["(", "cat", ")"]
    assert {token.weight for token in plain.tokens[0]} == {1}


def test_what_the_user_should_know_stands_under_the_picture(pipe):
    result = pipe.run("a zebra", steps=1)
    assert "zebra" in result.notices[0]
    assert "zebra" in result._repr_mimebundle_()["text/html"]
