"""What is shown while a run goes on: when, how often, and at what cost.

How it looks is in `live_view`; where it is shown, in `drawing`. Time comes from a clock that
is passed in, so that nothing here waits.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from sdnb.magics import live_view

if TYPE_CHECKING:
    import PIL.Image

INTERVAL = 0.1
"""Seconds between two updates, at least: a front end drops what comes faster."""

SHARE = 0.1
"""Share of a run's time that previews may take, at most."""

T = TypeVar("T")


class PreviewBudget:
    """Time that previews may take: a share of the run's, kept by measuring.

    Parameters
    ----------
    expected : float or None
        Seconds the first preview will take; None if not known.
    """

    def __init__(self, clock: Callable[[], float], expected: float | None = None) -> None:
        self._clock = clock
        self._spent = 0.0
        self.expected = expected

    def affords(self, elapsed: float, *, guess: float) -> bool:
        """Whether one more preview keeps within the share of ``elapsed`` seconds.

        ``guess`` is the cost that is assumed before the first measurement.
        """
        cost = guess if self.expected is None else self.expected
        return self._spent + cost <= SHARE * elapsed

    def spend(self, work: Callable[[], T]) -> T:
        """Do the work, on the budget."""
        began = self._clock()
        result = work()
        self.expected = self._clock() - began
        self._spent += self.expected
        return result


class Live:
    """Progress and preview of one run, not more often than the page can take.

    Parameters
    ----------
    show : callable
        Takes HTML that replaces what was shown before.
    clock : callable
        Seconds, rising.
    expected : float or None
        Seconds a preview took in an earlier run of this size.
    """

    def __init__(
        self,
        show: Callable[[str], None],
        clock: Callable[[], float],
        expected: float | None = None,
    ) -> None:
        self._show = show
        self._clock = clock
        self._began = self._shown = clock()
        self._pictures: Sequence[str] = ()
        self.budget = PreviewBudget(clock, expected)

    def step(
        self,
        done: int,
        total: int | None,
        sigma: float,
        preview: "Callable[[], Sequence[PIL.Image.Image]]",
    ) -> None:
        """Show that ``done`` steps are made, unless something was shown just now."""
        now = self._clock()
        if now - self._shown < INTERVAL:
            return
        elapsed = now - self._began
        if self.budget.affords(elapsed, guess=elapsed / done):
            self._pictures = self.budget.spend(lambda: live_view.encode(preview()))
        self._show(live_view.progress(done, total, sigma, elapsed, self._pictures))
        self._shown = self._clock()
