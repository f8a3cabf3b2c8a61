from pathlib import Path

import pytest
import torch

from sdnb.training.diffusion import make_text_encoder, make_unet
from sdnb.training.evaluate import TINY
from sdnb.training.export import load_tokenizer
from sdnb.training.grounding import TellingAttention, grounding_loss, name_things
from sdnb.training.tokenizer import encode_ids
from sdnb.training.world import Scene, Thing


def thing(kind, colour):
    return Thing(kind=kind, colour=colour, size="small", centre=(64.0, 64.0), extent=40.0)


def tokenizer():
    return load_tokenizer(Path(TINY))


def shares_of(rows):
    return torch.tensor(rows)[None].transpose(1, 2)


def test_a_network_that_tells_its_shares_answers_as_before():
    # given
    torch.manual_seed(0)
    unet = make_unet((16, 32, 48)).eval()
    x, t = torch.randn(2, 4, 16, 16), torch.tensor([900, 10])
    embeds = make_text_encoder(tokenizer())(
        encode_ids(tokenizer(), ["a red cat", ""])
    ).last_hidden_state
    shares = []
    # when
    before = unet(x, t, embeds).sample
    unet.set_attn_processor(TellingAttention())
    after = unet(x, t, embeds, cross_attention_kwargs={"shares": shares}).sample
    # then
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    assert [tuple(each.shape) for each in shares[:2]] == [(2, 64, 77), (2, 16, 77)]
    torch.testing.assert_close(shares[0].sum(-1), torch.ones(2, 64))


def test_each_thing_is_named_by_its_kind_and_colour_and_the_first_by_its_side():
    # given
    scenes = [
        Scene("sea", (thing("cat", "red"), thing("star", "blue")), "left of"),
        Scene("sea", (thing("cat", "red"),)),
    ]
    texts = ["a small red cat left of a small blue star", ""]
    ids = encode_ids(tokenizer(), texts)
    # when
    named = name_things(tokenizer(), ids, scenes)
    # then: positions behind the mark that begins every text
    words = ["<start>", *texts[0].split()]
    said = [[words[i] for i in row.nonzero().flatten()] for row in named[0]]
    assert said == [["red", "cat", "left"], ["blue", "star"]]
    assert not named[1].any()


def test_words_that_look_at_their_things_alone_miss_nothing():
    # given: four places, of which the first two are the thing's
    covers = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    named = torch.tensor([[[False, True]]])
    # when
    right = grounding_loss([shares_of([[0.5, 0.5, 1.0, 1.0], [0.5, 0.5, 0.0, 0.0]])], covers, named)
    half = grounding_loss([shares_of([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5]])], covers, named)
    wrong = grounding_loss([shares_of([[1.0, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.5]])], covers, named)
    # then
    assert [right.item(), half.item(), wrong.item()] == pytest.approx([0.0, 0.25, 1.0])


def test_a_word_at_which_no_place_looks_has_a_gradient_that_can_be_used():
    # given
    scores = torch.tensor([[[0.0, -200.0, -50.0]] * 4], requires_grad=True)
    covers, named = torch.ones(1, 1, 2, 2), torch.tensor([[[True, True, True]]])
    # when
    loss = grounding_loss([scores.softmax(-1)], covers, named)
    loss.backward()
    # then
    assert loss.isfinite() and scores.grad.isfinite().all()


def test_a_text_that_names_nothing_is_not_graded():
    # given
    covers, named = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, dtype=torch.bool)
    # when, then
    assert grounding_loss([torch.full((1, 4, 2), 0.5)], covers, named) == 0
