from random import Random

import pytest

from sdnb.training.captions import words, write_caption
from sdnb.training.dataset import numbered_scene
from sdnb.training.export import load_tokenizer
from sdnb.training.tokenizer import END, START, save_tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(write_caption(numbered_scene(i), Random(i)) for i in range(1500))


def test_every_word_of_the_world_is_one_token(tokenizer):
    # given, when
    pieces = {word: tokenizer.tokenize(word) for word in words()}
    # then
    assert all(found == [word + "</w>"] for word, found in pieces.items())


def test_an_unknown_word_falls_into_pieces_and_none_is_lost(tokenizer):
    # given
    text = "zebra, 3 élan!"
    # when
    pieces = tokenizer.tokenize(text)
    # then
    assert len(pieces) > 6
    assert END not in pieces


def test_a_text_begins_and_ends_with_its_marks(tokenizer):
    # given, when
    ids = tokenizer("a red circle").input_ids
    # then
    assert tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == [START, END]
    assert ids[-1] == max(tokenizer.get_vocab().values())


def test_a_saved_tokenizer_reads_back_the_same(tokenizer, tmp_path):
    # given
    save_tokenizer(tokenizer, tmp_path / "tokenizer")
    # when
    again = load_tokenizer(tmp_path)
    # then
    text = "a picture of an unknown zebra"
    assert again(text).input_ids == tokenizer(text).input_ids
    assert again.model_max_length == 77
