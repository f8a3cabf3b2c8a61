"""What is shown while a run goes on: when, how often, and at what cost.

How it looks is in `live_view`; where it is shown, in `drawing`. Time comes from a clock that
is passed in, so that nothing here waits.
"""

from collections.abc import Callable
from math import inf

from sdnb.labs.preview_budget import PreviewBudget
from sdnb.magics import live_view

INTERVAL = 0.1
"""Seconds between two updates, at least: a front end drops what comes faster."""


class Live:
    """Progress and preview of one run, not more often than the page can take.

    Parameters
    ----------
    show : callable
        Takes HTML that replaces what was shown before.
    clock : callable
        Seconds, rising.
    size : int
        How many latent values a preview decodes, of all images together.
    decode_rate : float or None
        Seconds a preview takes per latent value, from an earlier run; None if not known.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        clock: Callable[[], float],
        *,
        size: int,
        decode_rate: float | None,
    ) -> None:
        self._show = show
        self._clock = clock
        self._size = size
        self._began = self._shown = self._stepped = clock()
        self._fastest = inf
        self._drawn = ""
        self._budget = PreviewBudget(clock, None if decode_rate is None else decode_rate * size)

    @property
    def decode_rate(self) -> float | None:
        """Seconds a preview takes per latent value, as last measured."""
        expected = self._budget.expected
        return None if expected is None else expected / self._size

    def step(
        self,
        done: int,
        total: int | None,
        about: str,
        preview: Callable[[], str],
    ) -> None:
        """Show that ``done`` steps are made, unless something was shown just now.

        ``preview`` draws, as HTML, what there is to see.
        """
        now = self._clock()
        self._fastest = min(self._fastest, now - self._stepped)
        if now - self._shown >= INTERVAL:
            elapsed = now - self._began
            left = 0 if total is None else total - done
            # the first steps are slow, and an estimate that is too long would spend too much
            whole = elapsed + left * self._fastest
            if done != total and self._budget.affords(elapsed, whole=whole, guess=self._fastest):
                self._drawn = self._budget.spend(preview)
            self._show(live_view.progress(done, total, about, elapsed) + self._drawn)
            self._shown = self._clock()
        self._stepped = self._clock()
