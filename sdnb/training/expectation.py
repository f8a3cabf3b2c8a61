"""What a prompt asks of a picture: captions read back, and pictures judged by them.

The wording is that of ``captions``; what a picture shows is read by ``checker``.
"""

import re
from dataclasses import dataclass
from itertools import permutations

from sdnb.training.captions import RELATION_WORDS, words
from sdnb.training.checker import Reading, Seen, name_relation
from sdnb.training.silhouettes import SILHOUETTES
from sdnb.training.world import BACKGROUNDS, COLOURS, SIZES

_SIDES = {
    phrase.removesuffix(" of").split()[-1]: relation
    for relation, phrases in RELATION_WORDS.items()
    for phrase in phrases
}
"""The word that tells a relation: ``left`` of "on the left of"."""

_CLASSES: dict[str, str] = {
    **dict.fromkeys(SILHOUETTES, "k"),
    **dict.fromkeys(COLOURS, "c"),
    **dict.fromkeys(SIZES, "s"),
    **dict.fromkeys(BACKGROUNDS, "b"),
    **dict.fromkeys(_SIDES, "r"),
    "and": "a",
}
"""The classes of the words that say something; sizes are read over."""

_SENTENCE = re.compile(r"b?s?c?k(?:[ra]s?c?k)?b?")


@dataclass(frozen=True)
class Named:
    """A thing as a prompt names it; its colour may be left open."""

    kind: str
    colour: str | None


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a prompt says of a picture; None where it says nothing.

    Parameters
    ----------
    things : tuple of Named
        One, or two of which the first is ``relation`` the second. No more may be there.
    """

    things: tuple[Named, ...]
    relation: str | None
    background: str | None

    def is_met_by(self, reading: Reading) -> bool:
        """Whether a picture shows just these things, all as they are named.

        How large they are is not judged.
        """
        if self.background not in (None, reading.background):
            return False
        if len(reading.things) != len(self.things):
            return False
        return any(self._fits(things) for things in permutations(reading.things))

    def _fits(self, things: tuple[Seen, ...]) -> bool:
        """Whether things are those named, in the same order."""
        pairs = list(zip(things, self.things, strict=True))
        return (
            all(seen.kind == named.kind for seen, named in pairs)
            and all(named.colour in (None, seen.colour) for seen, named in pairs)
            and (self.relation is None or name_relation(*things) == self.relation)
        )


def read_caption(text: str) -> Expectation | None:
    """Read a caption back: its things, their colours and relation, the background.

    Returns None where a word is unknown to the world, and where the words name no thing, more
    than two, or make no caption: nothing can be said of a picture then.
    """
    told = re.findall(r"[^\s,.]+", text.lower())
    if not set(told) <= set(words()):
        return None
    named = [word for word in told if word in _CLASSES]
    classes = "".join(_CLASSES[word] for word in named)
    if not _SENTENCE.fullmatch(classes) or classes.count("b") > 1:
        return None
    things, colour = [], None
    for word, kind in zip(named, classes, strict=True):
        if kind == "c":
            colour = word
        elif kind == "k":
            things.append(Named(word, colour))
            colour = None
    return Expectation(
        things=tuple(things),
        relation=next((_SIDES[word] for word in named if word in _SIDES), None),
        background=next((word for word in named if word in BACKGROUNDS), None),
    )
