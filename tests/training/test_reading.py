from pathlib import Path
from random import Random

import torch

from sdnb.training.computing import seeded
from sdnb.training.diffusion import make_text_encoder
from sdnb.training.evaluate import TINY
from sdnb.training.export import load_tokenizer
from sdnb.training.loop import TrainPlan, TrainState, by_steps, train
from sdnb.training.reading import (
    ANSWERS,
    LONGEST,
    UNTOLD,
    Reader,
    draw_captions,
    reading_loss,
    tell_answers,
)
from sdnb.training.tokenizer import encode_ids
from sdnb.training.world import Scene, Thing

QUESTIONS = list(ANSWERS)


def tokenizer():
    return load_tokenizer(Path(TINY))


def thing(kind, colour, size="small"):
    return Thing(kind=kind, colour=colour, size=size, centre=(64.0, 64.0), extent=40.0)


def told(caption, scene):
    """What each word of a caption has to answer: {word: {question: answer}}."""
    ids = encode_ids(tokenizer(), [caption])[:, :LONGEST]
    rows = tell_answers(tokenizer(), ids, [scene])[0]
    words = ["<start>", *caption.split(), "<end>"]
    return {
        word: {
            question: ANSWERS[question][row[i]]
            for i, question in enumerate(QUESTIONS)
            if row[i] != UNTOLD
        }
        for word, row in zip(words, rows, strict=False)
    }


def test_a_word_tells_what_the_caption_has_said_when_it_comes():
    # given
    scene = Scene("snow", (thing("star", "red"), thing("car", "blue", "large")), "below")
    # when
    words = told("a small red star under a large blue car in snow", scene)
    # then
    assert words["red"] == {}
    assert words["star"] == {"kind": "star", "colour": "red", "size": "small"}
    assert words["under"] == {**words["star"], "side": "below"}
    own = {"kind": "car", "colour": "blue", "size": "large", "side": "above"}
    assert words["car"] == {**own, **words["in"]}
    assert words["in"] == {
        "kind first in place": "car",
        "colour first in place": "blue",
        "size first in place": "large",
        "kind last in place": "star",
        "colour last in place": "red",
        "size last in place": "small",
        "arrangement": "over",
    }
    assert words["<end>"] == words["snow"] == {**words["in"], "background": "snow"}


def test_a_lone_thing_is_known_to_be_alone_at_the_end():
    # given
    scene = Scene("sea", (thing("cat", "pink"),))
    # when
    words = told("at sea a pink cat", scene)
    # then
    assert words["sea"] == words["a"] == {"background": "sea"}
    assert words["cat"] == {"background": "sea", "kind": "cat", "colour": "pink", "size": "small"}
    assert words["<end>"]["arrangement"] == "alone"
    assert words["<end>"]["kind first in place"] == words["<end>"]["kind last in place"] == "cat"


def test_where_things_stand_is_not_asked_of_a_caption_that_does_not_say_it():
    # given
    scene = Scene("sea", (thing("cat", "pink"), thing("car", "blue")), "left of")
    # when
    words = told("a pink cat and a blue car", scene)
    # then
    assert not any("side" in answers or "arrangement" in answers for answers in words.values())


def test_no_caption_is_longer_than_what_is_read_of_it():
    # given
    ids, _ = draw_captions(tokenizer(), 300, Random(0))
    # when
    ends = (ids == tokenizer().eos_token_id).sum(1)
    # then
    assert ends.min() >= 2


def test_a_few_steps_of_reading_lower_the_loss_and_the_same_steps_give_the_same():
    def trained(steps):
        with seeded(3):
            state = TrainState.begin(Reader(make_text_encoder(tokenizer(), width=32, layers=1)))
        loss_of = reading_loss(state.model, tokenizer(), seed=0, parts=2)
        plan = TrainPlan(clock=by_steps(steps), peak_lr=1e-2, warmup=1)
        return [event.loss for event in train(state, loss_of, plan)]

    # when
    losses, again = trained(12), trained(12)
    # then
    assert losses == again
    assert losses[-1] < 0.9 * losses[0]
    assert torch.isfinite(torch.tensor(losses)).all()
