"""What can be looked at of a text: each lens asks the text encoder one thing.

The lab that asks them while somebody types is `sdnb.labs.text`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.comparison.text import (
    TextDistances,
    TextStages,
    follow_text,
    nearest_tokens,
    text_distances,
    text_vectors,
    word_vectors,
    words_at,
)
from sdnb.comparison.vectors import (
    Analogy,
    Near,
    Projected,
    Vectors,
    analogy,
    neighbour_map,
    principal_axes,
    similarity,
)
from sdnb.errors import InvalidField
from sdnb.labs.typed_text import Typed
from sdnb.pipeline import Pipeline

MOST = 24
"""Words that are compared with each other, at most."""

NEAR, AROUND = 10, 4
"""Tokens that are nearest to a word, and those around each word of a map."""

WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Weights that are shown beside the one that is typed."""

PEOPLE = ("king", "queen", "man", "woman", "prince", "princess", "boy", "girl", "uncle", "aunt")


@dataclass(frozen=True, eq=False)
class Alike:
    """Words at a stage, and the cosine of the angle between each two."""

    stage: str
    names: tuple[str, ...]
    cosines: Float[Tensor, "N N"]


@dataclass(frozen=True)
class Nearest:
    """A word, and the tokens nearest to it."""

    word: str
    near: tuple[Near, ...]


@dataclass(frozen=True)
class Sum:
    """A sum of texts, and which was expected to be nearest to it, if any."""

    analogy: Analogy
    expected: str


@dataclass(frozen=True, eq=False)
class WordMap:
    """The words that were asked for, on a map with others."""

    words: tuple[str, ...]
    projected: Projected


@dataclass(frozen=True, eq=False, kw_only=True)
class Weighed:
    """How far each weight of some words moves the tokens of a text.

    Parameters
    ----------
    prompt : str
        The text with the weight that was typed.
    """

    words: tuple[str, ...]
    syntax: str
    prompt: str
    distances: TextDistances


Found = TextStages | Alike | Nearest | Sum | WordMap | Weighed | TextDistances


class Lenses:
    """Asks the text encoders of a pipeline."""

    def __init__(self, pipe: Pipeline) -> None:
        self._pipe = pipe
        self._common: Vectors | None = None

    def look(self, lens: str, typed: Typed) -> Found:
        """Return what a lens shows; raises `InvalidField` for what it cannot be asked of."""
        asks: Mapping[str, Callable[[Typed], Found]] = {
            "vectors": self._vectors,
            "similarity": self._similarity,
            "nearest": self._nearest,
            "sum": self._sum,
            "map": self._map,
            "weight": self._weight,
            "empty": self._empty,
        }
        return asks[lens](typed)

    def _vectors(self, typed: Typed) -> TextStages:
        return follow_text(self._pipe, typed.text, encoder=typed.encoder)

    def _similarity(self, typed: Typed) -> Alike:
        vectors = self._compared(typed, typed.stage)
        return Alike(typed.stage, vectors.names, similarity(vectors))

    def _nearest(self, typed: Typed) -> Nearest:
        near = nearest_tokens(self._pipe, typed.word, count=NEAR, encoder=typed.encoder)
        return Nearest(typed.word, near)

    def _sum(self, typed: Typed) -> Sum:
        plus, minus = typed.terms
        vectors = self._candidates([*plus, *minus, *[typed.expected] * bool(typed.expected)])
        return Sum(analogy(vectors, plus, minus), typed.expected)

    def _map(self, typed: Typed) -> WordMap:
        own = self._compared(typed, "embedding")
        others = word_vectors(self._pipe, self._around(own.names, typed), encoder=typed.encoder)
        all_of_them = _joined(own, others)
        lay = neighbour_map if typed.method == "umap" else principal_axes
        return WordMap(own.names, lay(all_of_them))

    def _weight(self, typed: Typed) -> Weighed:
        if typed.syntax == "plain":
            raise InvalidField(
                "brackets have no meaning here, so no word can be weighed.",
                given=typed.syntax,
                allowed="comfyui, a1111",
                fix="choose one of them as the meaning of brackets",
            )
        if not typed.weighed:
            raise InvalidField(
                "a text without words has none to be weighed.",
                given=typed.text,
                allowed="a word, or several",
                fix="write a text",
            )
        weights = sorted({*WEIGHTS, typed.weight})
        prompts = [typed.prompt(weight) for weight in weights]
        distances = text_distances(self._pipe, typed.prompt(1.0), prompts, syntax=typed.syntax)
        return Weighed(
            words=typed.weighed,
            syntax=typed.syntax,
            prompt=typed.prompt(typed.weight),
            distances=replace(distances, others=tuple(f"× {weight:g}" for weight in weights)),
        )

    def _empty(self, typed: Typed) -> TextDistances:
        others = ["", *[typed.other] * bool(typed.other.strip())]
        return text_distances(self._pipe, typed.text, others, syntax="plain")

    def _compared(self, typed: Typed, stage: str) -> Vectors:
        """Return the vectors of the text's words, or of others, each read alone."""
        if not typed.compared:
            found = words_at(follow_text(self._pipe, typed.text, encoder=typed.encoder), stage)
            return Vectors(found.names[:MOST], found.values[:MOST])
        names = typed.compared[:MOST]
        alone = [follow_text(self._pipe, name, encoder=typed.encoder) for name in names]
        means = [words_at(each, stage).values.mean(dim=0) for each in alone]
        return Vectors(names, torch.stack(means))

    def _around(self, names: tuple[str, ...], typed: Typed) -> list[str]:
        """Return all words that a small model knows; of another, those nearest to the names."""
        known = self._pipe.components.words
        if known is None:
            near = [
                each.name.removesuffix("</w>")
                for name in dict.fromkeys(names)
                for each in nearest_tokens(self._pipe, name, count=AROUND, encoder=typed.encoder)
            ]
            known = frozenset(name for name in near if name.isalpha())
        return sorted(known - {name.lower() for name in names})

    def _candidates(self, asked: list[str]) -> Vectors:
        """Return the vectors of whole texts: common ones, and those that are asked for."""
        if self._common is None:
            self._common = text_vectors(self._pipe, self._common_texts())
        new = [text for text in dict.fromkeys(asked) if text not in self._common.names]
        return _joined(self._common, text_vectors(self._pipe, new)) if new else self._common

    def _common_texts(self) -> list[str]:
        """Return colours, kinds and both together; and people, where a model may know any."""
        from sdnb.training.silhouettes import SILHOUETTES
        from sdnb.training.world import COLOURS

        phrases = [f"{colour} {kind}" for colour in COLOURS for kind in SILHOUETTES]
        people = PEOPLE if self._pipe.components.words is None else ()
        return [*phrases, *COLOURS, *SILHOUETTES, *people]


def _joined(one: Vectors, other: Vectors) -> Vectors:
    """Return the vectors of both, of a name that stands there twice the first."""
    names, values = (*one.names, *other.names), torch.cat([one.values, other.values])
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    order = sorted(places.values())
    return Vectors(tuple(names[place] for place in order), values[order])
