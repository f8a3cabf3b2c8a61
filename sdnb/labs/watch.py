"""Looking at a run while it goes on: not too often, and not too dearly."""

from collections.abc import Callable
from math import inf

from PIL.Image import Image

from sdnb.events import StepEvent
from sdnb.labs.preview_budget import SHARE, PreviewBudget
from sdnb.labs.seen import Progress, Shown
from sdnb.labs.sketch import Sketch
from sdnb.run import Run

INTERVAL = 1 / 15
"""Seconds between two looks, at least: a page takes no more."""

DECODING = SHARE / 2
"""Share of a run's time for decoding; sketches, the strip and their sending take the rest."""


class Watch:
    """Looks at one run.

    Parameters
    ----------
    sketch : Sketch
        Draws what there is no time to decode, and learns from what was decoded.
    clock : callable
        Seconds, rising.
    cost : float or None
        Seconds that decoding takes, from an earlier run of the same size.

    Attributes
    ----------
    decoded : dict of int to PIL image
        What was decoded so far, by step from 0.
    """

    def __init__(
        self, run: Run, sketch: Sketch, clock: Callable[[], float], cost: float | None = None
    ) -> None:
        self._run, self._sketch, self._clock = run, sketch, clock
        self._budget = PreviewBudget(clock, cost, DECODING)
        self._first = run.index
        self._fastest = inf
        self._seconds = run.seconds
        self._looked = -inf
        self.decoded: dict[int, Image] = {}

    @property
    def cost(self) -> float | None:
        """Seconds that decoding takes, as last measured."""
        return self._budget.expected

    def look(self, event: StepEvent) -> tuple[Progress, Shown | None] | None:
        """Look at the run after a step; None if that was done just now.

        Without a picture where there is no time for one, and nothing to sketch from.
        """
        self._fastest = min(self._fastest, self._run.seconds - self._seconds)
        self._seconds = self._run.seconds
        now = self._clock()
        if now - self._looked < INTERVAL:
            return None
        progress = self.progress(event.index + 1, event.total, event.sigma_next)
        seen = progress, self._picture(progress)
        self._looked = self._clock()
        return seen

    def progress(self, step: int, total: int | None, sigma: float) -> Progress:
        """Return how far the run is, and what the rest takes at the pace so far."""
        made = step - self._first
        left = None
        if total is not None and made > 0:
            left = self._run.seconds / made * (total - step)
        return Progress(step=step, total=total, sigma=sigma, seconds_left=left)

    def decode(self, step: int) -> Shown | None:
        """Decode the estimate that the run holds after ``step`` steps; None if it has none."""
        images = self._run.preview()
        if not images or self._run.denoised is None:
            return None
        self._sketch.learn(self._run.denoised[:1], images[:1])
        self.decoded[step - 1] = images[0]
        return Shown(images[0], step)

    def _picture(self, progress: Progress) -> Shown | None:
        step = progress.step
        elapsed = self._run.seconds
        left = 0 if progress.total is None else progress.total - step
        whole = elapsed + left * self._fastest
        is_last = step == progress.total
        if not is_last and self._budget.affords(elapsed, whole=whole, guess=self._fastest):
            return self._budget.spend(lambda: self.decode(step))
        denoised = self._run.denoised
        sketches = [] if denoised is None else self._sketch.draw(denoised[:1])
        return Shown(sketches[0], step, is_sketch=True) if sketches else None
