"""How often a run may be looked at: previews take a share of its time.

Time comes from a clock that is passed in, so that nothing here waits.
"""

from collections.abc import Callable
from typing import TypeVar

SHARE = 0.1
"""Share of a run's time that previews may take, at most."""

T = TypeVar("T")


class PreviewBudget:
    """Time that previews may take: a share of the run's, kept by measuring."""

    def __init__(
        self, clock: Callable[[], float], expected: float | None, share: float = SHARE
    ) -> None:
        self._clock = clock
        self._share = share
        self._spent = 0.0
        self.expected = expected

    def affords(self, elapsed: float, *, whole: float, guess: float) -> bool:
        """Whether one more preview keeps within the share of the whole run's seconds.

        It comes when half of it is earned, so that previews lie evenly over the run: one of
        one in its middle. ``guess`` is the cost that is assumed before the first measurement.
        """
        cost = guess if self.expected is None else self.expected
        is_due = self._spent + cost / 2 <= self._share * elapsed
        return is_due and self._spent + cost <= self._share * whole

    def spend(self, work: Callable[[], T]) -> T:
        """Do the work, on the budget."""
        began = self._clock()
        result = work()
        self.expected = self._clock() - began
        self._spent += self.expected
        return result
