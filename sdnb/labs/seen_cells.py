"""The cells of a comparison as they are seen: ended, or on their way, sketched.

A look costs what it costs; how often there is one follows from that, see `CellWatch.is_due`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from sdnb.comparison.compare import Comparison
from sdnb.comparison.record import Outcome
from sdnb.labs.preview_budget import SHARE
from sdnb.labs.sketch import Sketch
from sdnb.labs.watch import INTERVAL
from sdnb.result import Result
from sdnb.run import Run

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False, kw_only=True)
class SeenCell:
    """What there is to see of a cell.

    Parameters
    ----------
    name : str
        The cell in words: ``"heun, steps 10"``.
    outcome : Result, SdnbError or None
        What became of it; None while it is to come.
    image : PIL image or None
        Its first picture, or what that would be if the run ended now.
    is_sketch : bool
        Whether the image is a guess that was not decoded.
    """

    name: str
    outcome: Outcome = None
    image: "Image | None" = None
    is_sketch: bool = False


class CellWatch:
    """Looks at the cells of comparisons.

    Parameters
    ----------
    factor : int
        Pixels of the VAE along a side of one latent.
    clock : callable
        Seconds, rising.
    """

    def __init__(self, factor: int, clock: Callable[[], float]) -> None:
        self._factor, self._clock = factor, clock
        self._sketches: dict[object, Sketch] = {}  # by checkpoint and shape of the latents
        self._learned: set[str] = set()  # ids of results
        self._looked = -inf
        self._cost: float | None = None  # of the cheapest look; the first one also learns

    @property
    def is_due(self) -> bool:
        """Whether a look now keeps within a page's patience, and a tenth of the time."""
        return self._clock() - self._looked >= max(INTERVAL, (self._cost or 0.0) / SHARE)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count a block as a look: what it costs decides when the next one is due."""
        began, before = self._clock(), self._looked
        yield
        self._looked = self._clock()
        if before > -inf:
            spent = self._looked - began
            self._cost = spent if self._cost is None else min(spent, self._cost)

    def look(self, comparison: Comparison) -> tuple[SeenCell, ...]:
        """Return all cells as they are now; those at work are sketched where that is possible."""
        cells = comparison.plan.cells
        at_work = {cells[number].work: run for number, run in comparison.engine.runs.items()}
        return tuple(
            self._seen(name, comparison.outcome(number), at_work.get(cells[number].work))
            for number, name in enumerate(comparison.plan.names)
        )

    def _seen(self, name: str, outcome: Outcome, run: Run | None) -> SeenCell:
        if isinstance(outcome, Result):
            self._learn(outcome)
            return SeenCell(name=name, outcome=outcome, image=next(iter(outcome.images), None))
        if outcome is not None or run is None or run.denoised is None:
            return SeenCell(name=name, outcome=outcome)
        latents = run.denoised[:1]
        sketch = self._sketch(run.request.checkpoint, latents.shape)
        if drawn := sketch.draw(latents):
            return SeenCell(name=name, image=drawn[0], is_sketch=True)
        decoded = run.preview()[:1]  # one is enough to learn from
        sketch.learn(latents, decoded)
        return SeenCell(name=name, image=decoded[0])

    def _learn(self, result: Result) -> None:
        if result.id not in self._learned and result.images:
            self._learned.add(result.id)
            sketch = self._sketch(result.request.checkpoint, result.latents[:1].shape)
            sketch.learn(result.latents[:1], result.images[:1])

    def _sketch(self, *kind: object) -> Sketch:
        return self._sketches.setdefault(kind, Sketch(self._factor))
