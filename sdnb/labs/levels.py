"""Noise levels that fall whatever is done to them: moved, spread over more steps, written down.

What is meant by levels here does not have the 0 at their end, but for `resampled`.
"""

import re
from collections.abc import Sequence
from math import exp, log

import numpy as np

from sdnb.errors import InvalidField

APART = 1.001
"""A level over the one that follows, at least."""

Levels = tuple[float, ...]


def moved(levels: Sequence[float], index: int, sigma: float, bounds: tuple[float, float]) -> Levels:
    """Return levels, without the last 0, with one of them moved and the others still falling."""
    low, high = bounds
    last = len(levels) - 1
    low, high = low * APART ** (last - index), high / APART**index
    new = [*levels[:index], min(max(sigma, low), max(low, high)), *levels[index + 1 :]]
    for i in range(index - 1, -1, -1):
        new[i] = max(new[i], new[i + 1] * APART)
    for i in range(index + 1, last + 1):
        new[i] = min(new[i], new[i - 1] / APART)
    return short(new)


def resampled(levels: Levels, steps: int) -> Levels:
    """Return the same curve, in logarithms, at another number of steps; the ends stay."""
    logs = [log(level) for level in levels[:-1]]
    at = np.linspace(0, len(logs) - 1, steps)
    between = np.interp(at, np.arange(len(logs)), logs)
    return (*short([exp(value) for value in between.tolist()]), 0.0)


def short(levels: Sequence[float]) -> Levels:
    """Round levels to what a line of text holds; they lie `APART`."""
    return tuple(float(f"{level:.5g}") for level in levels)


def text_of(levels: Sequence[float]) -> str:
    """Write levels as `numbers_of` reads them."""
    return ", ".join(f"{level:g}" for level in levels)


def numbers_of(text: str) -> list[float]:
    """Read numbers with commas or spaces between them, or raise `InvalidField`."""
    try:
        return [float(part) for part in re.split(r"[\s,;]+", text.strip(" ,;\n\t")) if part]
    except ValueError as error:
        raise InvalidField(
            "levels are numbers.",
            given=text,
            allowed="falling numbers with commas between them",
            fix="14.6, 5, 1, 0.2",
        ) from error
