"""Who computes the cells of a comparison: here, side by side.

On other processes and machines they are computed by `sdnb.comparison.sweep`.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sdnb.comparison.plan import Cell
from sdnb.errors import SdnbError
from sdnb.lockstep import Round, lockstep
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.pipeline import Pipeline, load
from sdnb.resolving import is_loaded
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

    def pipeline(self) -> Pipeline:
        """Give a pipeline in this process, for what is computed beside the cells."""

    @property
    def runs(self) -> Mapping[int, Run]:
        """Cell -> its run, of those that are at work and can be looked at."""

    def rounds(self, cells: Mapping[int, Cell]) -> Generator[Progress, None, None]:
        """Compute cells to their ends; whoever iterates may stop, and ask for the rest later."""


class Lockstep:
    """Computes cells side by side in this process: what they ask shares network calls.

    After an interrupt runs wait where they are, until they are asked for again. Cells of other
    checkpoints than the pipeline's come after its own; each of these is loaded for its cells
    alone, with the device, dtype and offload that the pipeline was loaded with.

    Parameters
    ----------
    keep : str
        What traces keep, as in `Pipeline.start`.
    exact : bool
        Whether each cell has its calls for itself: equal to its lone run to the last bit, and
        as slow.
    """

    def __init__(self, pipe: Pipeline, keep: str = "all", *, exact: bool = False) -> None:
        self._pipe = pipe
        self.runs: dict[int, Run] = {}
        self._other: tuple[str, Pipeline] | None = None
        self._keep = keep
        self._exact = exact

    def pipeline(self) -> Pipeline:
        """Give the pipeline that computes the cells."""
        return self._pipe

    def rounds(self, cells: Mapping[int, Cell]) -> Generator[Progress, None, None]:
        """Compute cells round by round; the pipeline's turn is held for each, not between."""
        for checkpoint, some in self._by_checkpoint(cells).items():
            try:
                pipe = self._pipe if checkpoint is None else self._loaded(checkpoint)
            except SdnbError as error:
                yield Progress(failed=dict.fromkeys(some, error))
            else:
                yield from self._with(pipe, some)
                del pipe
        self._other = None

    def _loaded(self, checkpoint: str) -> Pipeline:
        """Return another checkpoint's pipeline: one at a time, kept for runs that wait for it."""
        if self._other is None or self._other[0] != checkpoint:
            self._other = None
            own = self._pipe.components.recipe
            pipe = load(checkpoint, device=own.device, dtype=own.dtype, offload=own.offload)
            self._other = checkpoint, pipe
        return self._other[1]

    def _by_checkpoint(self, cells: Mapping[int, Cell]) -> Mapping[str | None, Mapping[int, Cell]]:
        """Part cells by what they are drawn with; the pipeline's own, None, come first."""
        groups: dict[str | None, dict[int, Cell]] = {None: {}}
        for number, cell in cells.items():
            named = cell.request.checkpoint
            own = is_loaded(self._pipe.components, named)
            groups.setdefault(None if own else named, {})[number] = cell
        return groups

    def _with(self, pipe: Pipeline, cells: Mapping[int, Cell]) -> Iterator[Progress]:
        refused = self._begin(pipe, cells)
        if refused:
            yield Progress(failed=refused)
        networks = Networks(Denoiser(pipe.components))
        numbers = [number for number in cells if number not in refused]
        for some in [[number] for number in numbers] if self._exact else [numbers]:
            yield from self._together(pipe, networks, some)

    def _together(
        self, pipe: Pipeline, networks: Networks, numbers: Sequence[int]
    ) -> Iterator[Progress]:
        rounds = lockstep(networks, [self.runs[number] for number in numbers])
        try:
            while (each := _next(pipe, rounds)) is not None:
                failed = {numbers[which]: error for which, error in each.failed.items()}
                for number in failed:
                    del self.runs[number]
                asked = tuple(numbers[which] for which in each.asked)
                ended = self._ended(numbers[which] for which in each.ended)
                yield Progress(asked=asked, ended=ended, failed=failed)
        except KeyboardInterrupt:  # some may have come to their ends in the round that it cut off
            left = [number for number in numbers if number in self.runs]
            yield Progress(ended=self._ended(n for n in left if self.runs[n].has_pictures))
            raise

    def _ended(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Return results; a run is let go when all of them are there: interrupts lose nothing."""
        results = {number: self.runs[number].finish() for number in numbers}
        for number in results:
            del self.runs[number]
        return results

    def _begin(self, pipe: Pipeline, cells: Mapping[int, Cell]) -> dict[int, SdnbError]:
        """Start the runs that do not wait at their questions; returns what cannot be started."""
        refused: dict[int, SdnbError] = {}
        for number, cell in cells.items():
            run = self.runs.get(number)
            if run is not None and not run.has_failed:
                continue
            try:
                run = pipe.start(cell.request, hooks=cell.hooks, keep=self._keep)
            except SdnbError as error:
                refused[number] = error
            else:
                self.runs[number] = run
        return refused


def _next(pipe: Pipeline, rounds: Iterator[Round]) -> Round | None:
    with pipe.turn():
        return next(rounds, None)
