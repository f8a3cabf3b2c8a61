"""A text as characters, words and tokens: those of the tokenizer, and the room they fill."""

import pytest

from sdnb.comparison.tokens import split_text
from sdnb.errors import InvalidField, UnknownName


def test_the_tokens_are_those_of_the_tokenizer(pipe):
    # given
    text = "a large blue house"
    # when
    split = split_text(pipe, text)
    # then
    tokenizer = pipe.components.texts[0].tokenizer
    assert [token.id for token in split.tokens] == tokenizer(text, add_special_tokens=False)[
        "input_ids"
    ]
    assert [[token.piece for token in word] for word in split.words] == [
        ["a"],
        ["large"],
        ["blue"],
        ["house"],
    ]
    assert (split.room, split.counts, split.unknown) == (75, (4,), ())


def test_an_unusual_word_is_several_tokens_of_which_the_last_ends_it(pipe):
    # when
    split = split_text(pipe, "a zebra")
    # then
    (_, pieces) = split.words
    assert len(pieces) > 1
    assert "".join(token.piece for token in pieces) == "zebra"
    assert [token.text.endswith("</w>") for token in pieces] == [*[False] * (len(pieces) - 1), True]
    assert split.unknown == ("zebra",)


def test_what_does_not_fit_fills_a_second_chunk(pipe):
    # when
    split = split_text(pipe, "red " * 76)
    # then
    assert split.counts == (75, 1)
    assert [len(chunk) for chunk in split.chunks] == [77, 77]
    html = split._repr_mimebundle_()["text/html"]
    assert "75 of 75 places" in html and "1 of 75 places" in html


def test_every_chunk_of_a_long_text_is_shown_and_a_very_long_one_is_cut_short(pipe):
    long, endless = (split_text(pipe, "a " * count) for count in (160, 4000))
    assert long._repr_mimebundle_()["text/html"].count("75 of 75 places</th>") == 2
    assert len(endless._repr_mimebundle_()["text/html"]) < 1e6
    assert len(endless.tokens) == 4000


def test_brackets_weigh_words_or_are_text(pipe):
    weighed, plain = (split_text(pipe, "(cat:1.5)", syntax=name) for name in ("comfyui", "plain"))
    assert [token.weight for token in weighed.tokens] == [1.5]
    assert "".join(token.piece for token in plain.tokens) == "(cat:1.5)"


@pytest.mark.parametrize("text", ["", "<script>alert(1)</script>", "ünïcödé 😀\n\t&"])
def test_any_text_is_drawn_as_text(pipe, text):
    split = split_text(pipe, text)
    bundle = split._repr_mimebundle_()
    assert "<script" not in bundle["text/html"]
    assert repr(split) in bundle["text/plain"]
    assert f"{len(text)} characters" in bundle["text/html"]


def test_an_encoder_or_a_syntax_that_is_not_there_is_refused(pipe):
    with pytest.raises(InvalidField, match="no such text encoder"):
        split_text(pipe, "a cat", encoder=1)
    with pytest.raises(UnknownName, match="comfyui"):
        split_text(pipe, "a cat", syntax="comfy")


def test_the_second_encoder_of_sdxl_fills_up_with_another_token(sdxl):
    first, second = (split_text(sdxl, "a zebra", encoder=i) for i in (0, 1))
    assert (first.encoder, second.encoder) == ("text_encoder", "text_encoder_2")
    assert first.tokens == second.tokens
    assert first.chunks[0][-1] != second.chunks[0][-1]
    assert len(first.tokens) == 2  # CLIP's own vocabulary knows the word
