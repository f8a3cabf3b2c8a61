"""Axes of a still picture: from values to pixels, and the ticks between."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from typing import Any

from sdnb.plots.svg_text import Number

Plotted = Mapping[str, Any]  # what plotly's JSON holds has no common type

_SUPERSCRIPT_FROM = 4
"""Powers of ten from this on are written as such: 1000, but 10 to the 4."""


@dataclass(frozen=True)
class Axis:
    """One axis, fitted to its values.

    Parameters
    ----------
    low, high : float
        Its ends, as logarithms where ``kind`` is ``"log"``.
    begin, end : float
        The pixels of its ends.
    labels : tuple of str
        What stands at 0, 1, 2, … where ``kind`` is ``"category"``.
    """

    options: Plotted
    kind: str
    low: float
    high: float
    begin: float
    end: float
    labels: tuple[str, ...] = ()
    places: Mapping[object, int] = field(default_factory=dict)

    def at(self, value: object) -> float | None:
        """Return the pixel of a value; None where it has none (0 on a log axis, a gap)."""
        number = _number(value, self.kind, self.places)
        return None if number is None else self.pixel(number)

    def place(self, value: object) -> float | None:
        """Return the pixel of an annotation's place, which is a logarithm on a log axis."""
        return self.pixel(float(value)) if isinstance(value, int | float) else self.at(value)

    def pixel(self, number: Number) -> float:
        """Return the pixel of a number on the axis' own scale."""
        share = (number - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[tuple[float, str]]:
        """Return pixels and labels, those of the figure itself where it names them."""
        room = 50 if self.begin < self.end else 40  # numbers are wider than high
        values = self.options.get("tickvals")
        if values is not None:
            labels = self.options.get("ticktext") or [number_text(value) for value in values]
            found = [(self.at(v), str(label)) for v, label in zip(values, labels, strict=False)]
        elif self.kind == "category":
            found = [(self.pixel(place), label) for place, label in enumerate(self.labels)]
        else:
            numbers = _log_ticks if self.kind == "log" else _linear_ticks
            low, high = sorted((self.low, self.high))
            found = [
                (self.pixel(number), label)
                for number, label in numbers(low, high, abs(self.end - self.begin) / room)
            ]
        ends = sorted((self.begin, self.end))
        inside = [(p, label) for p, label in found if p is not None]
        return [(p, label) for p, label in inside if ends[0] - 0.5 <= p <= ends[1] + 0.5]


@dataclass(frozen=True)
class Panel:
    """A pair of axes."""

    x: Axis
    y: Axis


def fit(
    options: Plotted, values: Iterable[object], begin: Number, end: Number, *, pad: Number
) -> Axis:
    """Return the axis that shows ``values`` between two pixels.

    Parameters
    ----------
    options : Mapping
        Plotly's, with the template's filled in.
    pad : float
        Share of the range left free on both sides.
    """
    values = list(values)
    kind = _kind(options, values)
    names = [value for value in dict.fromkeys(values) if value is not None]
    places = {name: index for index, name in enumerate(names)} if kind == "category" else {}
    low, high = _range(options, kind, values, places, pad)
    return Axis(options, kind, low, high, begin, end, tuple(map(str, places)), places)


def _kind(options: Plotted, values: Sequence[object]) -> str:
    kind = options.get("type")
    if kind in ("linear", "log", "category"):
        return str(kind)
    return "category" if any(isinstance(value, str) for value in values) else "linear"


def _range(
    options: Plotted,
    kind: str,
    values: Sequence[object],
    places: Mapping[object, int],
    pad: Number,
) -> tuple[float, float]:
    given = options.get("range")
    if given and None not in given:
        return float(given[0]), float(given[1])
    numbers = [n for n in (_number(value, kind, places) for value in values) if n is not None]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if kind == "category" or low == high:
        low, high = low - 0.5, high + 0.5
    else:
        low, high = low - pad * (high - low), high + pad * (high - low)
    if options.get("rangemode") == "tozero" and kind == "linear":
        low, high = min(low, 0.0), max(high, 0.0)
    return (high, low) if options.get("autorange") == "reversed" else (low, high)


def _number(value: object, kind: str, places: Mapping[object, int]) -> float | None:
    if kind == "category" and value in places:
        return float(places[value])
    if isinstance(value, bool | int | float) and isfinite(value):
        if kind != "log":
            return float(value)
        return log10(value) if value > 0 else None
    return None


def _linear_ticks(low: Number, high: Number, count: Number) -> list[tuple[float, str]]:
    step = _nice((high - low) / max(2.0, count))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [(index * step, number_text(index * step)) for index in range(first, last + 1)]


def _nice(step: Number) -> float:
    power = 10.0 ** floor(log10(step))
    return next((f * power for f in (1, 2, 2.5, 5) if f * power >= step * 0.999), 10 * power)


def _log_ticks(low: Number, high: Number, count: Number) -> list[tuple[float, str]]:
    decades = range(floor(low), ceil(high) + 1)
    if high - low < 1.5:
        digits = (1, 2, 5) if high - low > 0.4 else tuple(range(1, 10))
        found = [(p + log10(d), number_text(d * 10.0**p)) for p in decades for d in digits]
    else:
        every = max(1, ceil((high - low) / max(1.0, 1.2 * count)))
        found = [(float(p), _power(p)) for p in decades if p % every == 0]
    return [(number, label) for number, label in found if low - 1e-9 <= number <= high + 1e-9]


def _power(exponent: int) -> str:
    if abs(exponent) < _SUPERSCRIPT_FROM:
        return number_text(10.0**exponent)
    return f"10<sup>{_minus(str(exponent))}</sup>"


def number_text(value: object) -> str:
    """Write a number as an axis does: shortly, with a true minus."""
    if not isinstance(value, int | float):
        return str(value)
    return _minus(f"{value:.4g}" if abs(value) < 1e5 else f"{value:g}")


def _minus(text: str) -> str:
    return "−" + text[1:] if text.startswith("-") and text != "-0" else text.removeprefix("-")
