"""All that a run asks of a checkpoint's networks, answered for many runs at once.

Text becomes vectors, noise is estimated (`sdnb.models.denoiser`), latents become pictures.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

import torch

from sdnb.conditioning import Conditioning
from sdnb.errors import ModelError
from sdnb.models.components import Components
from sdnb.models.denoiser import Answer, Denoiser, Question
from sdnb.models.text import encode_text
from sdnb.models.vae import decode_latents
from sdnb.shapes import Images, Latents

ROWS = 64
"""Rows of latents that go through the U-Net in one call unless memory says otherwise."""

DECODED_PIXELS = 2**22
"""Pixels that are decoded in one call."""


@dataclass(frozen=True)
class Encode:
    """A wish for the vectors of some prompts, one for each image."""

    prompts: tuple[str, ...]
    clip_skip: int


@dataclass(frozen=True, eq=False)
class Decode:
    """A wish for the pictures of clean latents."""

    latents: Latents


Asked = Encode | Question | Decode
Told = Conditioning | Answer | Images

T = TypeVar("T", Question, Decode)


@dataclass(eq=False)
class Networks:
    """The networks of a checkpoint, behind all that runs ask.

    Attributes
    ----------
    rows : int
        The most rows of a U-Net call; halved whenever memory turns out to be too small.
    texts : dict
        What was encoded: each text once.
    """

    denoiser: Denoiser
    rows: int = ROWS
    texts: dict[Encode, Conditioning] = field(default_factory=dict)

    def answer(self, asked: Sequence[Asked]) -> list[Told]:
        """Answer what was asked, in its order, in as few calls as fit.

        Raises `ModelError` where a question alone is too large for the memory.
        """
        told: dict[int, Told] = {}
        for places in _together(asked):
            told.update(zip(places, self._told([asked[place] for place in places]), strict=True))
        return [told[place] for place in range(len(asked))]

    def _told(self, asked: Sequence[Asked]) -> Sequence[Told]:
        """Answer what can share a call."""
        match asked[0]:
            case Encode():
                return [self._encoded(each) for each in asked if isinstance(each, Encode)]
            case Question():
                questions = [each for each in asked if isinstance(each, Question)]
                return self._fitting(self.denoiser, questions, self.rows)
            case Decode():
                wishes = [each for each in asked if isinstance(each, Decode)]
                pixels = wishes[0].latents[0, 0].numel() * self.components.latent.factor**2
                return self._fitting(self._decoded, wishes, max(1, DECODED_PIXELS // pixels))

    @property
    def components(self) -> Components:
        """What the networks are part of."""
        return self.denoiser.components

    def _encoded(self, wish: Encode) -> Conditioning:
        if wish not in self.texts:
            self.texts[wish] = encode_text(self.components, wish.prompts, wish.clip_skip)
        return self.texts[wish]

    def _decoded(self, wishes: Sequence[Decode]) -> list[Images]:
        images = decode_latents(self.components, torch.cat([wish.latents for wish in wishes]))
        return list(images.split([len(wish.latents) for wish in wishes]))

    def _fitting(
        self, call: Callable[[Sequence[T]], Sequence[Told]], asked: Sequence[T], rows: int
    ) -> list[Told]:
        """Call with as much at once as fits: half as much whenever memory is too small."""
        told: list[Told] = []
        while len(told) < len(asked):
            some = _first_rows(asked[len(told) :], rows)
            try:
                told += call(some)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                if len(some) == 1:
                    raise _too_large(some[0]) from error
                rows = max(1, sum(map(_rows, some)) // 2)
                self.rows = min(self.rows, rows)
        return told


def _together(asked: Sequence[Asked]) -> Iterator[list[int]]:
    """Give the places of what can share a call: of one kind, and of one size."""
    groups: dict[object, list[int]] = defaultdict(list)
    for place, each in enumerate(asked):
        groups[_kind(each)].append(place)
    yield from groups.values()


def _kind(asked: Asked) -> object:
    match asked:
        case Encode():
            return Encode
        case Question():
            return Question, asked.x.shape[1:]
        case Decode():
            return Decode, asked.latents.shape[1:]


def _rows(asked: Question | Decode) -> int:
    if isinstance(asked, Decode):
        return len(asked.latents)
    return len(asked.x) * len(asked.branches)


def _first_rows(asked: Sequence[T], rows: int) -> Sequence[T]:
    """Take from the front what has no more rows than these, and one at least."""
    sums = accumulate(map(_rows, asked))
    return asked[: max(1, sum(1 for total in sums if total <= rows))]


def _is_out_of_memory(error: RuntimeError) -> bool:
    # torch has a class for devices; its CPU allocator raises a plain RuntimeError
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _too_large(asked: Question | Decode) -> ModelError:
    size = asked.latents.shape if isinstance(asked, Decode) else asked.x.shape
    return ModelError(
        "there is not enough memory for one question to the network.",
        given=f"latents {tuple(size)}",
        allowed="what fits beside the checkpoint",
        fix="a smaller width, height or batch_size",
    )
