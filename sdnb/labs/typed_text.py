"""What somebody types about a text, read and checked: words, sums, weights."""

import re
from dataclasses import dataclass
from math import isfinite

from sdnb.errors import InvalidField

HEAVIEST = 10.0
"""A weight is at most so large, either way."""

_SIGN = re.compile(r"(?:^|\s+)([+\-\u2212])(?=\s|$)")  # U+2212 is the minus sign
_BRACKETS = re.compile(r"([()\[\]\\])")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What stands in the fields of a text lab.

    Parameters
    ----------
    words : tuple of str
        Those of the text, without the brackets that mean something.
    syntax : str
        What brackets mean: one of `sdnb.prompt.SYNTAXES`.
    compared : tuple of str
        Words to be compared in the place of the text's, if any.
    stage : str
        One of `sdnb.comparison.text.stage_names`.
    method : str
        ``"pca"`` or ``"umap"``.
    terms : (tuple of str, tuple of str)
        What is added, and what is subtracted.
    weighed : tuple of str
        Words of the text that count ``weight``.
    other : str
        A negative prompt, to be compared as the empty text is.
    """

    words: tuple[str, ...]
    encoder: int
    syntax: str
    compared: tuple[str, ...]
    stage: str
    method: str
    word: str
    terms: tuple[tuple[str, ...], tuple[str, ...]]
    expected: str
    weighed: tuple[str, ...]
    weight: float
    other: str

    @property
    def text(self) -> str:
        """The words as one text."""
        return " ".join(self.words)

    def prompt(self, weight: float) -> str:
        """Return the text with a weight on the weighed words, as a prompt says it."""
        return " ".join(
            f"({_literal(word)}:{weight:g})" if word in self.weighed else _literal(word)
            for word in self.words
        )


def read_words(typed: str) -> tuple[str, ...]:
    """Return words, or groups of them, that stand between commas."""
    return tuple(dict.fromkeys(" ".join(part.split()) for part in typed.split(",") if part.strip()))


def read_sum(typed: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the terms that are added and subtracted: ``red circle - red + blue``.

    A sign stands between spaces: ``t-shirt`` is one word. Raises `InvalidField` without a term,
    and for a sign without one.
    """
    first, *rest = _SIGN.split(typed)
    parts = [("+", first)] * bool(first.strip() or not rest)
    parts += zip(rest[::2], rest[1::2], strict=True)
    terms = [(sign == "+", " ".join(text.split())) for sign, text in parts]
    if not all(text for _, text in terms):
        raise InvalidField(
            "a sum has a word behind each sign.",
            given=typed,
            allowed="words, and + or - between spaces",
            fix="red circle - red + blue",
        )
    plus = tuple(text for is_added, text in terms if is_added)
    return plus, tuple(text for is_added, text in terms if not is_added)


def read_weight(typed: str) -> float:
    """Return a weight; raises `InvalidField` for what is none."""
    try:
        weight = float(typed.replace(",", "."))
    except ValueError:
        weight = float("nan")
    if not (isfinite(weight) and abs(weight) <= HEAVIEST):
        raise InvalidField(
            "a weight is a number.",
            given=typed,
            allowed=f"-{HEAVIEST:g} … {HEAVIEST:g}; 1 changes nothing",
            fix="1.5",
        )
    return weight


def _literal(word: str) -> str:
    """Return a word whose brackets mean nothing."""
    return _BRACKETS.sub(r"\\\1", word)
