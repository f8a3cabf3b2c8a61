"""Embeddings as plain values, and where a text names them."""

import pytest

from sdnb.embedding import Embedding, find_mentions
from sdnb.errors import InvalidField
from sdnb.prompt import edited, every_text, read_weights
from sdnb.request import GenerationRequest


def named(text, syntax, known=()):
    return [(text[each.start : each.end], each.name) for each in find_mentions(text, syntax, known)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/easy.safetensors", "easy"),
        ("C:\\a\\easy.v2.PT", "easy.v2"),
        ("easy.v2", "easy.v2"),
        ("easy", "easy"),
    ],
)
def test_an_embedding_is_called_as_its_file(path, name):
    assert Embedding(path).name == name


def test_an_embedding_without_a_file_is_refused():
    with pytest.raises(InvalidField, match="file"):
        Embedding.parse(" ")


def test_a_request_reads_embeddings_as_they_are_written():
    one, many = (
        GenerationRequest(embeddings=given) for given in ("a.pt", ["a.pt", Embedding("b")])
    )
    assert one.embeddings == (Embedding("a.pt"),)
    assert many.embeddings == (Embedding("a.pt"), Embedding("b"))
    with pytest.raises(InvalidField, match="textual inversions"):
        GenerationRequest(embeddings=3)


def test_a_request_with_embeddings_is_its_own_json():
    request = GenerationRequest(embeddings=("a.pt", Embedding("b", "ab" * 32)))
    assert GenerationRequest.from_json(request.to_json()) == request


def test_comfyui_names_an_embedding_with_a_word_before_it():
    text = "a cat, embedding:easy, embedding:sub/x.pt,embedding:y a myembedding:z easy"
    assert named(text, "comfyui") == [
        ("embedding:easy", "easy"),
        ("embedding:sub/x.pt", "sub/x.pt"),
        ("embedding:y", "y"),
    ]


def test_a1111_names_an_embedding_as_any_word_the_longest_first():
    known = ("Easy", "easy-2", "<it>", "a+b")
    assert named("EASY, easy-2 uneasy easy2 <it>.a+b", "a1111", known) == [
        ("EASY", "Easy"),
        ("easy-2", "easy-2"),
        ("<it>", "<it>"),
        ("a+b", "a+b"),
    ]
    assert named("easy embedding:easy", "a1111") == []


def test_plain_text_names_nothing():
    assert named("embedding:easy easy", "plain", ("easy",)) == []


def test_a_weight_stands_behind_the_name():
    (piece,) = read_weights("(embedding:easy:1.2)", "comfyui")
    assert (piece.text, piece.weight) == ("embedding:easy", 1.2)


def test_the_colon_of_an_embedding_parts_no_edit():
    assert edited("[embedding:a:0.5]", 4, "comfyui") == [(0, ""), (2, "embedding:a")]
    assert edited("[embedding:a:embedding:b:0.5]", 4, "comfyui") == [
        (0, "embedding:a"),
        (2, "embedding:b"),
    ]
    assert edited("[cat:embedding:b:2] dog", 4, "comfyui") == [
        (0, "cat dog"),
        (2, "embedding:b dog"),
    ]


def test_every_text_of_a_prompt_is_there_however_few_steps_a_run_has():
    assert every_text("[a:b:0.01] [c:900]", "comfyui") == ["a ", "b ", "b c"]
