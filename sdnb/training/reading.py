"""The text encoder's own training: its words are to say what the caption has said so far.

CLIP knew language before Stable Diffusion learned to draw from it. The embedded model's text
encoder learns its small language here, from the scenes behind the captions: linear probes
read off each word what it says of its own thing, and off the caption's end which thing stands
where. Then it stays as it is, and the U-Net (``diffusion``) learns to draw from it.
Source of the probes: Alain and Bengio 2016 (arXiv:1610.01644), here trained with the network.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from sdnb.shapes import Embeds
from sdnb.training.captions import SIDE_WORDS, write_caption
from sdnb.training.dataset import SINGLE_SHARE
from sdnb.training.loop import LossOfStep
from sdnb.training.silhouettes import SILHOUETTES
from sdnb.training.tokenizer import Tokenizer, encode_ids
from sdnb.training.world import (
    BACKGROUNDS,
    COLOURS,
    OPPOSITES,
    RELATIONS,
    SIZES,
    Scene,
    Thing,
    is_held_out,
    order_things,
    sample_pair,
    sample_single,
)

UNTOLD = -100
"""The answer to a question that a position cannot know; `cross_entropy` leaves it out."""

LOOKS = {"kind": tuple(SILHOUETTES), "colour": tuple(COLOURS), "size": tuple(SIZES)}
SLOTS = ("first in place", "last in place")
"""Of two things the left or upper one, then the right or lower one; a lone thing is both."""

ANSWERS: dict[str, tuple[str, ...]] = {
    **LOOKS,
    "side": tuple(RELATIONS),
    **{f"{look} {slot}": answers for slot in SLOTS for look, answers in LOOKS.items()},
    "arrangement": ("alone", "beside", "over"),
    "background": tuple(BACKGROUNDS),
}
"""What is asked of each position of a text, and what there is to answer.

The first four are about the thing that a noun or a word of a side belongs to, the others
about the scene.
"""

CAPTIONS = 96
"""Captions of a step."""

LONGEST = 26
"""Positions of a text that are read: the longest caption, its end and some of the padding."""

# transformers is partly typed.
Network = Any


class Reader(nn.Module):
    """A text encoder and one linear probe, whose outputs answer all questions."""

    def __init__(self, text_encoder: Network) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        outputs = sum(len(answers) for answers in ANSWERS.values())
        self.probe = nn.Linear(text_encoder.config.hidden_size, outputs)

    def forward(self, ids: Int[Tensor, "B L"]) -> tuple[Float[Tensor, "B L A"], ...]:
        """Scores of the answers to each question, at each position."""
        embeds: Embeds = self.text_encoder(ids).last_hidden_state
        return torch.split(self.probe(embeds), [len(answers) for answers in ANSWERS.values()], -1)


def reading_loss(model: Reader, tokenizer: Tokenizer, *, seed: int, parts: int = 1) -> LossOfStep:
    """Loss of step after step over new scenes; the step seeds them."""

    def loss_of(step: int, _progress: float) -> list[partial[Float[Tensor, ""]]]:
        random = Random(f"reading {seed} {step}")
        return [
            partial(misread, model, *draw_captions(tokenizer, CAPTIONS // parts, random), 1 / parts)
            for _ in range(parts)
        ]

    return loss_of


def draw_captions(
    tokenizer: Tokenizer, count: int, random: Random
) -> tuple[Int[Tensor, "B L"], Int[Tensor, "B L Q"]]:
    """Token ids of captions, and what their positions have to answer."""
    scenes = [draw_scene(random) for _ in range(count)]
    captions = [write_caption(scene, random) for scene in scenes]
    ids = encode_ids(tokenizer, captions)[:, :LONGEST]
    return ids, tell_answers(tokenizer, ids, scenes)


def draw_scene(random: Random) -> Scene:
    """A scene that is not held out, its picture not drawn: as many as there are."""
    sample = sample_single if random.random() < SINGLE_SHARE else sample_pair
    scene = sample(random)
    while is_held_out(scene):
        scene = sample(random)
    return scene


def misread(
    model: Reader, ids: Int[Tensor, "B L"], answers: Int[Tensor, "B L Q"], share: float
) -> Float[Tensor, ""]:
    """Mean cross-entropy of each question, averaged over the questions, times a share."""
    device = model.probe.weight.device
    losses = []
    for scores, asked in zip(model(ids.to(device)), answers.to(device).unbind(-1), strict=True):
        loss = cross_entropy(
            scores.flatten(0, 1), asked.flatten(), ignore_index=UNTOLD, reduction="sum"
        )
        losses.append(loss / (asked != UNTOLD).sum().clamp_min(1))
    return share * torch.stack(losses).mean()


def tell_answers(
    tokenizer: Tokenizer, ids: Int[Tensor, "B L"], scenes: Sequence[Scene]
) -> Int[Tensor, "B L Q"]:
    """The right answer to each question at each position that can know it."""
    told = torch.full((*ids.shape, len(ANSWERS)), UNTOLD)
    for row, text, scene in zip(told, ids.tolist(), scenes, strict=True):
        for question, positions, answer in state_facts(tokenizer, text, scene):
            row[positions, list(ANSWERS).index(question)] = ANSWERS[question].index(answer)
    return told


def state_facts(
    tokenizer: Tokenizer, text: list[int], scene: Scene
) -> Iterator[tuple[str, slice, str]]:
    """Question, positions and answer of everything that a text tells of its scene.

    A text is read from left to right: a position knows what stands up to it.
    """
    places, nouns = locate(tokenizer, text, scene.background), []
    for place in places:
        yield "background", slice(place, None), scene.background
    for thing in scene.things:
        nouns += locate(tokenizer, text, thing.kind)
        yield from state_looks(thing, nouns[-1])
    if scene.relation is None:
        end = text.index(tokenizer.eos_token_id)
        yield from state_arrangement("alone", scene.things * 2, slice(end, None))
        return
    for side in locate(tokenizer, text, *SIDE_WORDS[scene.relation]):
        yield from state_looks(scene.things[0], side)
        yield "side", slice(side, side + 1), scene.relation
        yield "side", slice(nouns[1], nouns[1] + 1), OPPOSITES[scene.relation]
        arrangement = "beside" if RELATIONS[scene.relation][0] else "over"
        yield from state_arrangement(arrangement, order_things(scene), slice(nouns[1], None))


def locate(tokenizer: Tokenizer, text: list[int], *words: str) -> list[int]:
    """Positions of words in a text."""
    ids = tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in words])
    return [position for position, token in enumerate(text) if token in ids]


def state_looks(thing: Thing, position: int) -> Iterator[tuple[str, slice, str]]:
    """What the word at a position says of its own thing."""
    for look in LOOKS:
        yield look, slice(position, position + 1), getattr(thing, look)


def state_arrangement(
    arrangement: str, things: Sequence[Thing], positions: slice
) -> Iterator[tuple[str, slice, str]]:
    """What positions say of the whole scene: things from left to right, or from the top down."""
    yield "arrangement", positions, arrangement
    for slot, thing in zip(SLOTS, things, strict=True):
        for look in LOOKS:
            yield f"{look} {slot}", positions, getattr(thing, look)
