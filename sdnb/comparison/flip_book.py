"""The pictures of a comparison on their way, one for each cell at equal moments of the runs."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL.Image import Image

from sdnb.comparison.latents import Frame, film
from sdnb.comparison.plan import Axis
from sdnb.errors import InvalidField

if TYPE_CHECKING:
    from sdnb.comparison.compare import Comparison

COUNT = 8
"""Moments of a run that a flip book shows unless told otherwise."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FlipBook:
    """Pictures by moment and cell.

    Parameters
    ----------
    moments : tuple of str
        Estimates from the first step to the last, by number where all runs have as many steps,
        else by share of the run; at the end the finished pictures.
    pages : tuple of tuple of PIL image or str
        For each moment a picture for each cell, the last axis fastest; in words, why there is
        none.
    """

    axes: tuple[Axis, ...]
    moments: tuple[str, ...]
    pages: tuple[tuple[Image | str, ...], ...]


def make_flip_book(comparison: "Comparison", *, count: int = COUNT, index: int = 0) -> FlipBook:
    """Decode what each run took for the clean picture at some moments.

    Parameters
    ----------
    count : int
        How many moments, evenly spaced over each run's steps, at least 1; the finished picture
        comes after them.
    index : int
        Which image of each batch.

    Raises
    ------
    InvalidField
        Where runs kept no states, for an image that they have not, and for runs of other
        checkpoints.
    """
    decoding = decode_pages(comparison, count=count, index=index)
    while True:
        try:
            next(decoding)
        except StopIteration as end:
            book: FlipBook = end.value
            return book


def decode_pages(
    comparison: "Comparison", *, count: int = COUNT, index: int = 0
) -> Generator[int, None, FlipBook]:
    """Do what `make_flip_book` does run by run: yields how many are decoded, returns the book.

    Whoever iterates may stop.
    """
    done = {result.id: result for result in comparison.results if result is not None}
    own = comparison.pipe.components.reference
    if others := {each.request.checkpoint for each in done.values()} - {own}:
        raise InvalidField(
            "the steps of a run are decoded by its own checkpoint.",
            given=", ".join(sorted(map(str, others))),
            allowed=own,
            fix="page through a comparison of one checkpoint",
        )
    longest = max((result.trace.steps for result in done.values()), default=0)
    shown = min(count, longest)
    films: dict[str, tuple[Frame, ...]] = {}
    for key, result in done.items():
        films[key] = film(comparison.pipe, result, count=count, index=index)
        yield len(films)
    strips = [
        [_why(comparison, number)] * (shown + 1)
        if each is None
        else [*_spread(films[each.id], shown), each.images[index]]
        for number, each in enumerate(comparison.results)
    ]
    return FlipBook(
        axes=comparison.plan.axes,
        moments=(*_moments(list(films.values()), shown), "picture"),
        pages=tuple(zip(*strips, strict=True)),
    )


def _spread(frames: tuple[Frame, ...], count: int) -> list[Image | str]:
    """Return as many pictures as asked: of a shorter run some come more than once."""
    last = len(frames) - 1
    return [frames[round(i * last / max(1, count - 1))].image for i in range(count)]


def _moments(films: list[tuple[Frame, ...]], count: int) -> list[str]:
    steps = {tuple(frame.step for frame in frames) for frames in films}
    if len(steps) == 1:
        return [f"step {step}" for step in steps.pop()]
    shares = (i / max(1, count - 1) for i in range(count))
    return [f"{100 * share:.0f} % of the run" for share in shares]


def _why(comparison: "Comparison", number: int) -> str:
    error = comparison.outcome(number)
    return "to come" if error is None else type(error).__name__
