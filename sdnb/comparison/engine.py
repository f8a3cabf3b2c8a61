"""Who computes the cells of a comparison: here, side by side.

On other processes and machines they are computed by `sdnb.comparison.sweep`.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sdnb.comparison.plan import Cell
from sdnb.errors import SdnbError
from sdnb.lockstep import Round, lockstep
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.pipeline import Pipeline
from sdnb.result import Result
from sdnb.run import Run


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress:
    """What is new of a plan's cells, by their numbers in it.

    Parameters
    ----------
    asked : tuple of int
        Which shared a round of network calls.
    ended : mapping
        Cell -> its result.
    failed : mapping
        Cell -> the error that ended it; it leaves the others alone.
    """

    asked: tuple[int, ...] = ()
    ended: Mapping[int, Result] = field(default_factory=dict)
    failed: Mapping[int, SdnbError] = field(default_factory=dict)


@runtime_checkable  # the test suite checks types as it runs
class Engine(Protocol):
    """What computes cells."""

    def rounds(self, cells: Mapping[int, Cell]) -> Generator[Progress, None, None]:
        """Compute cells to their ends; whoever iterates may stop, and ask for the rest later."""


class Lockstep:
    """Computes cells side by side with one pipeline: what they ask shares network calls.

    After an interrupt runs wait where they are, until they are asked for again.

    Parameters
    ----------
    keep : str
        What traces keep, as in `Pipeline.start`.
    """

    def __init__(self, pipe: Pipeline, keep: str = "all") -> None:
        self.pipe = pipe
        self._keep = keep
        self._networks = Networks(Denoiser(pipe.components))
        self._runs: dict[int, Run] = {}

    def rounds(self, cells: Mapping[int, Cell]) -> Generator[Progress, None, None]:
        """Compute cells round by round; the pipeline's turn is held for each, not between."""
        refused = self._begin(cells)
        if refused:
            yield Progress(failed=refused)
        numbers = [number for number in cells if number not in refused]
        rounds = lockstep(self._networks, [self._runs[number] for number in numbers])
        while (each := self._next(rounds)) is not None:
            # a run is let go when its result is there: an interrupt before that loses nothing
            ended = {numbers[which]: self._runs[numbers[which]].finish() for which in each.ended}
            failed = {numbers[which]: error for which, error in each.failed.items()}
            for number in (*ended, *failed):
                del self._runs[number]
            asked = tuple(numbers[which] for which in each.asked)
            yield Progress(asked=asked, ended=ended, failed=failed)

    def _begin(self, cells: Mapping[int, Cell]) -> dict[int, SdnbError]:
        """Start the runs that do not wait at their questions; returns what cannot be started."""
        refused: dict[int, SdnbError] = {}
        for number, cell in cells.items():
            run = self._runs.get(number)
            if run is not None and not run.has_failed:
                continue
            try:
                run = self.pipe.start(cell.request, hooks=cell.hooks, keep=self._keep)
            except SdnbError as error:
                refused[number] = error
            else:
                self._runs[number] = run
        return refused

    def _next(self, rounds: Iterator[Round]) -> Round | None:
        with self.pipe.turn():
            return next(rounds, None)
