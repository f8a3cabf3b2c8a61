"""Comparing: axes as they are typed, a grid that fills, steps to page through, errors.

All that computes happens in one worker thread, as in `sdnb.labs.studio`. What is compared is a
`sdnb.comparison.compare.Comparison`; it can be taken out, and goes on being one.

    lab = CompareLab(sdnb.load("tiny"))
    lab.fill("sampler=euler,heun", "steps=5,10", prompt="a red circle")
    lab.wait()
    lab.comparison
"""

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Dict, Enum, TraitType, observe

from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep, Progress
from sdnb.comparison.flip_book import decode_pages
from sdnb.comparison.gathered import gather
from sdnb.comparison.plan import Plan, cross
from sdnb.comparison.solution import EVALUATIONS
from sdnb.errors import InvalidField, SdnbError
from sdnb.labs.axis_texts import ROWS, Asked, read_rows
from sdnb.labs.form import Form
from sdnb.labs.seen_cells import CellWatch
from sdnb.labs.working import Working
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import Result

Rounds = Generator[Progress | int, None, None]

PHASES = ("idle", "running", "decoding", "solving", "finished", "stopped")
FIRST_AXES = ("sampler=euler,dpmpp_2m,heun", "steps=5,10,20", "")
"""What is typed at first: three samplers, three numbers of steps."""


class CompareLab(Working):
    """One comparison at a time.

    Parameters
    ----------
    pipe : Pipeline
        What draws; others may use it too, and take turns.
    request : GenerationRequest, optional
        What all cells have in common, as it is typed at first.
    clock : callable
        Seconds, rising.

    Attributes
    ----------
    form : Form
        What all cells have in common.
    axes : tuple of str
        What is compared, as on the magic's line: ``"steps=5,10"``, `ROWS` of them; empty for none.
    errors : dict of str to SdnbError
        What is wrong with what is typed, by field; an axis is called ``axis_0``, ….
    phase : str
        One of `PHASES`.
    progress : (int, int)
        How much is done, and of how much: steps, or evaluations.
    cells : tuple of SeenCell
        What there is to see.
    comparison : Comparison or None
        The one that is shown.
    asked : Asked or None
        What was typed for it; None where it came from elsewhere.
    book : FlipBook or None
        Its steps, once `flip` has decoded them.
    scores : Scores or None
        Its distances to where its cells want to go, once `measure` has.
    """

    axes = AnyTrait(FIRST_AXES)
    errors: "TraitType[Any, Any]" = Dict()
    phase = Enum(PHASES, "idle")
    progress = AnyTrait((0, 0))
    cells = AnyTrait(())
    comparison = AnyTrait(None)
    book = AnyTrait(None)
    scores = AnyTrait(None)

    def __init__(
        self,
        pipe: Pipeline,
        request: GenerationRequest | None = None,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(pipe)
        self.form = Form()
        self.form.fill(request or GenerationRequest())
        self.form.observe(self._check, "errors")
        self._clock = clock
        self._watch = CellWatch(pipe.components.latent.factor, clock)
        self._began = (0.0, 0)  # when the steps that are made now were begun, and after how many
        self.asked: Asked | None = None
        self._gathered: list[Result] = []  # what the comparison that is shown was gathered of

    def fill(self, *rows: str, **fields: object) -> None:
        """Compare what is typed; nothing happens where `errors` says why.

        Parameters
        ----------
        *rows
            Typed first, if there are any: ``"sampler=ddim,heun"``.
        **fields
            Typed into the form first.
        """
        if rows:
            self.axes = (*rows, *("",) * ROWS)[:ROWS]
        self.form.type(fields)
        self.failure = None
        request, (axes, errors) = self.form.request(), read_rows(self.axes)
        if request is None or errors:
            return
        try:
            plan = cross(request, dict(axes))
        except SdnbError as error:  # values that do not go together
            self.failure = error
            return
        seeded = request.changed(seed=plan.cells[0].request.seed)
        typed = tuple(row for row in self.axes if row.partition("=")[2])
        asked = Asked(request=seeded, rows=typed, axes=axes)
        self._compute("running", partial(self._begin, plan, asked))

    def stop(self) -> None:
        """End what is computed; what is finished stays, and `resume` goes on with the rest."""
        self._ask(self._rest)

    def resume(self) -> None:
        """Compute what is left of the comparison."""
        if self._shown().is_complete:
            return
        self._compute("running", self._advance)

    def flip(self) -> None:
        """Decode the steps of all cells: see `book`."""
        self._compute("decoding", partial(self._flip, self._shown()))

    def measure(self) -> None:
        """Solve what the cells approximate, and measure how far they are: see `scores`."""
        self._compute("solving", partial(self._measure, self._shown()))

    def show(self, comparison: Comparison) -> None:
        """Show a comparison, as far as it has come."""
        self._ask(partial(self._show, comparison))

    def add(self, result: Result) -> None:
        """Lay a result beside those that were added before; with none, it begins a comparison."""
        self._ask(partial(self._add, result))

    def result(self, cell: int) -> Result:
        """Return a cell's result, by its place in the grid; raises where it has none."""
        outcome = self._shown().outcome(cell)
        if isinstance(outcome, SdnbError):
            raise outcome
        if outcome is None:
            raise InvalidField("this cell is not computed yet.", fix="wait, or resume")
        return outcome

    @property
    def seconds_left(self) -> float | None:
        """What the rest of the steps takes, at the pace so far; None before it is known."""
        began, before = self._began
        made, asked = self.progress
        if self.phase != "running" or made <= before:
            return None
        return float((self._clock() - began) / (made - before) * (asked - made))

    def save(self, path: str = "pictures/comparison.png") -> list[Path]:
        """Save the grid as a picture that carries every request."""
        return self._shown().save(path)

    def _shown(self) -> Comparison:
        if self.comparison is None:
            raise InvalidField("nothing is compared yet.", fix="fill a grid first")
        shown: Comparison = self.comparison
        return shown

    def _compute(self, phase: str, task: Callable[[], None]) -> None:
        self.phase = phase
        self._ask(task)

    def _begin(self, plan: Plan, asked: Asked) -> None:
        self._take(Comparison(plan, Lockstep(self.pipe)), asked)
        self._advance()

    def _take(self, comparison: Comparison, asked: Asked | None = None) -> None:
        self.asked, self._gathered = asked, []
        with self.hold_trait_notifications():
            self.comparison, self.book, self.scores = comparison, None, None
            self._look()

    def _advance(self) -> None:
        comparison = self._shown()
        self._began = self._clock(), comparison.steps[0]
        self.phase = "running"
        with self.hold_trait_notifications():
            self.book = self.scores = None  # they were of fewer cells
        self._go_through(comparison.rounds(), self._see)
        self._rest()

    def _see(self) -> None:
        if self._watch.is_due:
            with self._watch.timed():
                self._look()

    def _go_through(self, rounds: Rounds, seen: Callable[[], None]) -> bool:
        """Compute round by round; return whether to the end: something else may be wanted."""
        with closing(rounds) as going:
            for _ in going:
                seen()
                if self._worker.is_wanted:
                    return False
        return True

    def _flip(self, comparison: Comparison) -> None:
        done = sum(result is not None for result in comparison.results)

        def pages() -> Rounds:
            self.book = yield from decode_pages(comparison)

        self._go_through(pages(), self._counted(done))
        self._rest()

    def _measure(self, comparison: Comparison) -> None:
        if self._go_through(comparison.solving(), self._counted(EVALUATIONS)):
            self.scores = comparison.scores()
        self._rest()

    def _counted(self, total: int) -> Callable[[], None]:
        """Return what counts rounds up to so many, and shows how far they are."""
        made = iter(range(1, total + 1))

        def count() -> None:
            self.progress = (next(made, total), total)

        return count

    def _show(self, comparison: Comparison) -> None:
        self._take(comparison)
        self._rest()

    def _add(self, result: Result) -> None:
        others = [each for each in self._gathered if each is not result]
        self._take(gather(self.pipe, [*others, result]))
        self._gathered = [*others, result]
        self._rest()

    def _look(self) -> None:
        comparison = self._shown()
        with self.hold_trait_notifications():
            self.cells = self._watch.look(comparison)
            self.progress = comparison.steps

    def _rest(self) -> None:
        """Stand at what there is of the comparison."""
        if self.comparison is None:
            self.phase = "idle"
            return
        self._look()
        self.phase = "finished" if self._shown().is_complete else "stopped"

    @observe("axes")
    def _check(self, _change: object) -> None:
        self.errors = {**self.form.errors, **read_rows(self.axes)[1]}
