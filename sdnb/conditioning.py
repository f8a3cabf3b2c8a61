"""What the network is told: text as tokens and vectors, and the branches that are asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from sdnb.shapes import Embeds, Pooled


@dataclass(frozen=True)
class Token:
    """One text position: id, the vocabulary's name of it, its place in the prompt, its weight.

    ``span`` is (start, end) in characters; (0, 0) for marks that are no text. ``piece`` is what
    stands there in the prompt: ``"ño"`` where the vocabulary has bytes. ``learned`` is which
    vector of which embedding stands there; its ``id`` is -1, which the vocabulary does not have.
    """

    id: int
    text: str
    span: tuple[int, int]
    weight: float = 1.0
    piece: str = ""
    learned: tuple[str, int] | None = None


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What the network is told: text as vectors, for each image of the batch."""

    embeds: Embeds
    pooled: Pooled | None
    tokens: tuple[tuple[Token, ...], ...]


Branches = Mapping[str, Conditioning]
"""Named questions of one evaluation: ``"uncond"``, ``"cond"``, and any a hook adds."""
