"""All that a run asks of a checkpoint's networks, answered for many runs at once.

Text becomes vectors, noise is estimated (`sdnb.models.denoiser`), latents become pictures.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import torch

from sdnb.conditioning import Conditioning
from sdnb.embedding import Embedding
from sdnb.errors import ModelError, SdnbError
from sdnb.lora import Lora
from sdnb.models.components import Components
from sdnb.models.denoiser import Answer, Denoiser, Question
from sdnb.models.memory import is_out_of_memory, too_large
from sdnb.models.text import encode_text
from sdnb.models.vae import decode_latents
from sdnb.shapes import Images, Latents

ROWS = 64
"""Rows of latents that go through the U-Net in one call unless memory says otherwise."""


@dataclass(frozen=True)
class Encode:
    """A wish for the vectors of a text, the same for each image of a batch."""

    text: str
    batch_size: int
    clip_skip: int
    syntax: str
    loras: tuple[Lora, ...] = ()
    embeddings: tuple[Embedding, ...] = ()

    @property
    def decisive(self) -> Hashable:
        """What decides the vectors of one image."""
        worn = tuple((lora.sha256, lora.weights[1]) for lora in self.loras if lora.weights[1])
        return self.text, self.clip_skip, self.syntax, worn, self.embeddings


@dataclass(frozen=True, eq=False)
class Decode:
    """A wish for the pictures of clean latents."""

    latents: Latents


Asked = Encode | Question | Decode
Told = Conditioning | Answer | Images

Replies = Sequence[Told | SdnbError]


@dataclass(eq=False)
class Networks:
    """The networks of a checkpoint, behind all that runs ask.

    Attributes
    ----------
    row_limit : int
        The most rows of a U-Net call; halved whenever memory turns out to be too small.
    """

    denoiser: Denoiser
    row_limit: int = ROWS

    def answer(self, asked: Sequence[Asked]) -> list[Told | SdnbError]:
        """Answer what was asked, in its order, in as few calls as fit.

        What cannot be answered gets its error in place of an answer, and the others theirs: a
        call that fails is made again for each of its questions alone. Questions that look
        inside the network are asked alone, and once.
        """
        told: dict[int, Told | SdnbError] = {}
        for numbers in _together(asked):
            told |= zip(numbers, self._told([asked[number] for number in numbers]), strict=True)
        return [told[number] for number in range(len(asked))]

    def _told(self, asked: Sequence[Asked]) -> Replies:
        """Answer what can share a call."""
        match asked[0]:
            case Encode():
                return [self._encoded(each) for each in asked if isinstance(each, Encode)]
            case Question():
                return self._estimated([each for each in asked if isinstance(each, Question)])
            case Decode():
                return self._decoded([each for each in asked if isinstance(each, Decode)])

    @property
    def components(self) -> Components:
        """What the networks are part of."""
        return self.denoiser.components

    def _encoded(self, wish: Encode) -> Conditioning | SdnbError:
        try:
            cond = self.components.encoded.of(wish.decisive, partial(self._encode, wish))
        except SdnbError as error:
            return error
        return _repeated(cond, wish.batch_size)

    def _encode(self, wish: Encode) -> Conditioning:
        parts = self.components
        with parts.reading(wish.loras):
            return encode_text(parts, [wish.text], wish.clip_skip, wish.syntax, wish.embeddings)

    def _estimated(self, questions: Sequence[Question]) -> Replies:
        """Ask as much at once as fits: half as much whenever memory is too small."""
        told: list[Told | SdnbError] = []
        while len(told) < len(questions):
            some = _first_rows(questions[len(told) :], self.row_limit)
            try:
                told += self.denoiser(some)
            except (SdnbError, RuntimeError) as error:
                if len(some) == 1:
                    told.append(_refused(some[0], error))
                elif is_out_of_memory(error):
                    self.row_limit = max(1, sum(map(_rows, some)) // 2)
                else:
                    told += [self._estimated([each])[0] for each in some]
        return told

    def _decoded(self, wishes: Sequence[Decode]) -> Replies:
        try:
            images = decode_latents(self.components, torch.cat([wish.latents for wish in wishes]))
        except ModelError as error:
            return [error] * len(wishes)  # one picture is too large, and all have its size
        return list(images.split([len(wish.latents) for wish in wishes]))


def _repeated(cond: Conditioning, count: int) -> Conditioning:
    """Give each image its own copy, which hooks may write to."""
    pooled = None if cond.pooled is None else cond.pooled.repeat(count, 1)
    return Conditioning(cond.embeds.repeat(count, 1, 1), pooled, cond.tokens * count)


def _together(asked: Sequence[Asked]) -> Iterator[list[int]]:
    """Give the numbers of what can share a call."""
    groups: dict[object, list[int]] = defaultdict(list)
    for number, each in enumerate(asked):
        groups[_kind(each)].append(number)
    yield from groups.values()


def _kind(asked: Asked) -> object:
    """Return what those have in common that share a call; of a watched question, itself."""
    match asked:
        case Encode():
            return Encode
        case Question():
            texts = frozenset(cond.embeds.shape[1:] for cond in asked.branches.values())
            beside = asked.loras, asked.controls, asked.ip_adapters
            shared = Question, asked.x.shape[1:], texts, beside
            return asked if asked.is_watched else shared
        case Decode():
            return Decode, asked.latents.shape[1:]


def _rows(question: Question) -> int:
    return len(question.x) * len(question.branches)


def _first_rows(questions: Sequence[Question], limit: int) -> Sequence[Question]:
    """Take from the front what has no more rows than these, and one question at least."""
    sums = accumulate(map(_rows, questions))
    return questions[: max(1, sum(1 for total in sums if total <= limit))]


def _refused(question: Question, error: SdnbError | RuntimeError) -> SdnbError:
    """Return the error of a question that fails alone."""
    if isinstance(error, SdnbError):
        return error
    if is_out_of_memory(error):
        return too_large(question.x, error)
    texts = {name: tuple(cond.embeds.shape) for name, cond in question.branches.items()}
    refusal = ModelError(
        f"the network cannot answer this question: {error}",
        given=f"latents {tuple(question.x.shape)}, embeds {texts}",
        allowed="latents [B, C, h, w]; embeds [B, L, D], L the same for all branches",
        fix="look at what hooks have made of the latents and of the text",
    )
    refusal.__cause__ = error
    return refusal
