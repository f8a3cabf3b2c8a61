"""Text: the encoder's own answer, tokens with their places, words nobody taught."""

import pytest
import torch

from sdnb.errors import InvalidField
from sdnb.models.text import encode_text, tokenize, truncated_text, unknown_words


def test_the_vectors_are_the_encoders_own(pipe):
    # given
    parts = pipe.components
    ids, _ = tokenize(parts, ["a blue star"])

    # when
    cond = encode_text(parts, ["a blue star"])

    # then
    assert torch.allclose(cond.embeds, parts.text_encoder(ids).last_hidden_state, atol=1e-6)
    assert cond.embeds.shape == (1, 77, parts.text_encoder.config.hidden_size)


def test_every_token_knows_its_place_in_the_prompt(pipe):
    # when
    _, ((start, *words), *_) = tokenize(pipe.components, ["a blue star"])

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


def test_text_beyond_the_encoders_room_is_told(pipe):
    long = "red " * 75 + "circle star"
    assert truncated_text(pipe.components, long) == "circle star"
    assert truncated_text(pipe.components, "red " * 75) == ""


def test_what_the_user_should_know_stands_under_the_picture(pipe):
    result = pipe.run("a zebra " + "red " * 80, steps=1)
    assert "zebra" in result.notices[0]
    assert "no room" in result.notices[1]
    assert "zebra" in result._repr_mimebundle_()["text/html"]
