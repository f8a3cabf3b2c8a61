"""What a text becomes: the table's vectors, the layers', what the U-Net reads."""

import pytest
import torch

from sdnb.comparison.text import (
    follow_text,
    nearest_tokens,
    stage_names,
    text_distances,
    text_vectors,
    token_vectors,
    word_vectors,
    words_at,
)
from sdnb.errors import InvalidField, UnknownName
from sdnb.models.text import encode_text

PROMPT = "a large blue house"


def test_the_first_stage_is_the_table_s_and_the_last_what_the_u_net_reads(pipe):
    # when
    followed = follow_text(pipe, PROMPT)
    # then
    network = pipe.components.texts[0].network
    assert list(followed.stages) == [
        "embedding",
        "with position",
        *[f"layer {i + 1}" for i in range(network.config.num_hidden_layers)],
        "output",
    ]
    ids = [token.id for token in followed.split.chunks[0]]
    assert torch.equal(followed.stages["embedding"], network.get_input_embeddings().weight[ids])
    read = encode_text(pipe.components, [PROMPT]).embeds[0]
    assert torch.allclose(followed.stages["output"], read, atol=1e-6)
    assert followed.width == network.config.hidden_size


def test_what_a_position_adds_is_the_same_for_every_text(pipe):
    added = [
        stages["with position"] - stages["embedding"]
        for stages in (follow_text(pipe, text).stages for text in (PROMPT, "night"))
    ]
    assert torch.allclose(*added, atol=1e-6)


def test_a_token_sees_those_before_it_and_none_behind_it(pipe):
    # when
    one, other = (follow_text(pipe, f"a red {kind}").stages["output"] for kind in ("cat", "house"))
    # then
    assert torch.allclose(one[:3], other[:3], atol=1e-5)
    assert not torch.allclose(one[3:], other[3:], atol=1e-2)


def test_weights_move_their_word_as_far_as_they_say_and_nothing_else(pipe):
    # given
    weights = (0.0, 0.5, 1.0, 2.0)
    # when
    far = text_distances(pipe, PROMPT, [f"a large (blue:{weight}) house" for weight in weights])
    # then
    assert far.tokens[1:-1] == ("a", "large", "blue", "house")
    moved = far.values[:, 3]
    assert torch.allclose(moved, moved[0] * torch.tensor([1.0, 0.5, 0.0, 1.0]), rtol=1e-3)
    assert float(moved[0]) > 1
    assert float(far.values[:, [0, 1, 2, 4, 5]].abs().max()) < 1e-4


def test_an_empty_prompt_shares_the_start_and_nothing_else(pipe):
    far = text_distances(pipe, PROMPT, [""])
    assert float(far.values[0, 0]) < 1e-5
    assert float(far.values[0, 1:].min()) > 0.1


def test_a_word_of_several_tokens_is_their_mean(pipe):
    # given
    table = token_vectors(pipe)
    pieces = follow_text(pipe, "zebra").split.tokens
    # when
    vector = word_vectors(pipe, ["zebra"]).of("zebra")
    # then
    assert torch.allclose(vector, table.values[[token.id for token in pieces]].mean(dim=0))
    assert torch.equal(word_vectors(pipe, ["red"]).of("red"), table.of("red</w>"))


def test_words_of_a_text_are_the_means_of_their_tokens_at_each_stage(pipe):
    # given: a word in pieces, and one that stands there twice
    followed = follow_text(pipe, "a catamaran on a meadow")
    pieces = len(followed.split.words[1])

    # when
    found = {stage: words_at(followed, stage) for stage in stage_names(pipe)}

    # then
    assert tuple(found) == tuple(followed.stages)
    table = found["embedding"]
    assert pieces > 1
    assert table.names == ("a", "catamaran", "on", "a", "meadow")
    assert torch.allclose(table.values, word_vectors(pipe, table.names).values, atol=1e-6)
    output = found["output"].values
    assert torch.allclose(output[1], followed.stages["output"][2 : 2 + pieces].mean(0), atol=1e-6)
    assert not torch.allclose(output[0], output[3], atol=0.1)


def test_words_beyond_the_first_chunk_have_no_vectors(pipe):
    assert len(words_at(follow_text(pipe, "cat " * 80), "output").names) == 75
    with pytest.raises(InvalidField, match="without words"):
        words_at(follow_text(pipe, " "), "output")
    with pytest.raises(UnknownName, match="stage"):
        words_at(follow_text(pipe, "cat"), "layer 99")


def test_a_word_is_not_nearest_to_itself(pipe):
    found = nearest_tokens(pipe, "red", count=5)
    assert [each.rank for each in found] == [1, 2, 3, 4, 5]
    assert "red</w>" not in {each.name for each in found}
    cosines = [each.similarity for each in found]
    assert cosines == sorted(cosines, reverse=True) and cosines[0] < 0.999


def test_a_text_has_the_vector_of_its_end(pipe):
    summary = text_vectors(pipe, [PROMPT, "night"])
    read = encode_text(pipe.components, [PROMPT]).embeds[0, 5]  # start mark, four words, end mark
    assert torch.allclose(summary.of(PROMPT), read, atol=1e-5)


@pytest.mark.parametrize("words", [[""], [" "], []])
def test_a_word_without_tokens_is_refused(pipe, words):
    with pytest.raises(InvalidField):
        word_vectors(pipe, words)


def test_each_encoder_of_sdxl_is_followed_alone(sdxl):
    # when
    first, second = (follow_text(sdxl, PROMPT, encoder=i) for i in (0, 1))
    # then
    assert (first.width, second.width) == (64, 128)
    read = encode_text(sdxl.components, [PROMPT]).embeds[0]
    joined = torch.cat([first.stages["output"], second.stages["output"]], dim=-1)
    assert torch.allclose(joined, read, atol=1e-5)
    assert nearest_tokens(sdxl, "antidisestablishmentarianism", count=2, encoder=1)[0].rank == 1
    assert text_vectors(sdxl, ["a", "b"]).width == 96
