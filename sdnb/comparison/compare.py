"""Many runs that differ in a few fields, computed together and laid side by side."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sdnb.comparison import poster
from sdnb.comparison.best import Best, find_best
from sdnb.comparison.engine import Engine, Lockstep, Progress
from sdnb.comparison.grid import TO_COME, draw_error, draw_grid, draw_pictures, draw_result
from sdnb.comparison.plan import Plan, plan_fields
from sdnb.comparison.record import Outcome
from sdnb.comparison.scores import Scores, score_cells
from sdnb.comparison.solution import Solutions, Solver
from sdnb.errors import InvalidField, SdnbError
from sdnb.pipeline import Pipeline
from sdnb.records.history import History
from sdnb.request import GenerationRequest
from sdnb.result import Result, quiet_line

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(eq=False)
class Comparison:
    """A plan's cells: those that have ended, and those that `resume` goes on with.

    Attributes
    ----------
    engine : Engine
        Who computes: this process (`sdnb.compare`), or a cluster's (`sdnb.sweep`).
    history : History or None
        Where cells are kept as they end, with their labels; None: nowhere.
    results : list of Result or None
        One for each cell of the plan; of equal cells the same.
    errors : dict
        Cell -> what ended it. The others are not touched by it.
    calls : list of tuple of int
        Which cells shared each round of network calls. Pictures of such a batch differ from
        those of lone runs by rounding.
    not_kept : dict
        Cell -> why it is not in the history.
    id : str
        Tells comparisons apart, in the history too.
    """

    plan: Plan
    engine: Engine
    history: History | None = None
    results: list[Result | None] = field(init=False)
    errors: dict[int, SdnbError] = field(init=False, default_factory=dict)
    calls: list[tuple[int, ...]] = field(init=False, default_factory=list)
    not_kept: dict[int, str] = field(init=False, default_factory=dict)
    id: str = field(init=False, default_factory=lambda: uuid4().hex[:12])

    def __post_init__(self) -> None:
        self.results = [None] * len(self.plan.cells)
        self._first: dict[object, int] = {}
        self._solver = Solver()
        self._kept: set[int] = set()  # cells that were handed to the history
        for number, cell in enumerate(self.plan.cells):
            self._first.setdefault(cell.work, number)

    @property
    def is_complete(self) -> bool:
        """Whether every cell has its result or its error."""
        return not self._open()

    def resume(self) -> "Comparison":
        """Compute what is left; returns itself. An interrupt leaves what there is."""
        with closing(self.rounds()) as rounds:
            for _ in rounds:
                continue
        return self

    def retry(self) -> "Comparison":
        """Compute failed cells again, and what is left; returns itself."""
        self.errors.clear()
        return self.resume()

    def rounds(self) -> Generator[Progress, None, None]:
        """Compute what is left, round by round; the results fill up meanwhile, and are kept."""
        self._keep()  # what an interrupt left
        cells = {number: self.plan.cells[number] for number in self._open()}
        with closing(self.engine.rounds(cells)) as rounds:
            for each in rounds:
                if each.asked:
                    self.calls.append(each.asked)
                self.errors |= each.failed
                for number, result in each.ended.items():
                    self._fill(number, result)
                self._keep()
                yield each

    def previews(self) -> "dict[int, list[Image]]":
        """Decode what the cells that are at work would give if they ended now."""
        return {number: run.preview() for number, run in self.engine.runs.items()}

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps are made and how many are asked for; those of equal cells count once."""
        cells = self.plan.cells
        asked = {number: sum(cells[number].request.steps_made) for number in self._first.values()}
        made = dict.fromkeys(self._open(), 0)
        made |= {number: min(run.index, asked[number]) for number, run in self.engine.runs.items()}
        return sum((asked | made).values()), sum(asked.values())

    def draw(self, previews: "Mapping[int, Sequence[Image]] | None" = None) -> str:
        """Return the grid as HTML; cells without a result show their preview, if there is one."""
        names = enumerate(self.plan.names)
        return draw_grid(self.plan, [self._draw(*each, previews or {}) for each in names])

    @property
    def pipe(self) -> Pipeline:
        """A pipeline of this process, for what is computed beside the cells."""
        return self.engine.pipeline()

    def at(self, **values: object) -> Result:
        """Return the result of the one cell with these values: ``at(sampler="euler", steps=10)``.

        Raises `UnknownName` for an axis or a value that is not there, the cell's own error where
        it failed, `InvalidField` where several cells fit or this one is still to come.
        """
        number = self.plan.find(values)
        match self.outcome(number):
            case Result() as result:
                return result
            case SdnbError() as error:
                raise error
            case None:
                raise InvalidField(
                    "this cell is not computed yet.",
                    given=values,
                    allowed="finished cells",
                    fix="comparison.resume()",
                )

    def outcome(self, number: int) -> Outcome:
        """Return what became of a cell: its result, its error, or None while it is to come."""
        error = self.errors.get(self._first[self.plan.cells[number].work])
        return self.results[number] or error

    def save(self, path: str | Path) -> list[Path]:
        """Save all cells as one labelled picture; returns where it is.

        Every cell's request is in the file: `sdnb.comparison.record.read_comparison`. What has
        no picture says why. A picture too large for a file is cut into ``name-r0-c0.png``, ….

        Parameters
        ----------
        path : str or Path
            Ends in ``.png`` or ``.webp``. A file that exists is never overwritten: a number is
            added.
        """
        outcomes = [self.outcome(number) for number in range(len(self.plan.cells))]
        return poster.write(self.plan, outcomes, path)

    def solutions(self) -> Solutions:
        """Solve each finished cell's own ODE finely: see `sdnb.comparison.solution.Solver`."""
        return self._solver.solve(self.pipe, self.plan.cells, self.results)

    def solving(self) -> Generator[Progress, None, None]:
        """Compute what `solutions` gives round by round; whoever iterates may stop."""
        return self._solver.rounds(self.pipe, self.plan.cells, self.results)

    def scores(self, reference: Mapping[str, object] | None = None) -> Scores:
        """Return each cell in numbers; distances as in `sdnb.comparison.scores.score_cells`."""
        return score_cells(self, reference)

    # A DataFrame of pandas, which has no types where it is not installed.
    def table(self, reference: Mapping[str, object] | None = None) -> Any:
        """Return the scores as a DataFrame; where pandas is not installed, as `Scores`."""
        return self.scores(reference).table()

    def best(
        self,
        by: str = "distance",
        evaluations: int | None = None,
        reference: Mapping[str, object] | None = None,
    ) -> Best:
        """Return the best cell of those with at most so many evaluations, with a verdict.

        See `sdnb.comparison.best.find_best`.
        """
        return find_best(self, by, evaluations, reference)

    def __repr__(self) -> str:
        done = sum(result is not None for result in self.results)
        errors = f", {len(self.errors)} failed" if self.errors else ""
        return f"<Comparison: {done} of {len(self.results)} cells{errors}>"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        said = repr(self)[1:-1]
        if not self.is_complete:
            said += "; resume() computes the rest"
        html = self.draw() + quiet_line(said)
        return {"text/plain": repr(self), "text/html": html}

    def _open(self) -> list[int]:
        firsts = self._first.values()
        return [n for n in firsts if self.results[n] is None and n not in self.errors]

    def _fill(self, number: int, result: Result) -> None:
        for other, cell in enumerate(self.plan.cells):
            if self._first[cell.work] == number:
                self.results[other] = result

    def _keep(self) -> None:
        """Keep what has ended, each cell with its labels."""
        if self.history is None:
            return
        for number, result in enumerate(self.results):
            if result is None or number in self._kept:
                continue
            labels = self.plan.cells[number].labels
            if why_not := self.history.keep_cell(result, comparison=self.id, cell=labels):
                self.not_kept[number] = why_not
            self._kept.add(number)

    def _draw(self, number: int, name: str, previews: "Mapping[int, Sequence[Image]]") -> str:
        match self.outcome(number):
            case Result() as result:
                return draw_result(result, name)
            case SdnbError() as error:
                return draw_error(error)
            case None:
                images = previews.get(self._first[self.plan.cells[number].work])
                return draw_pictures(images, name) if images else TO_COME


def compare(
    pipe: Pipeline,
    request: GenerationRequest | str = "",
    *,
    zipped: bool = False,
    keep: str = "all",
    exact: bool = False,
    **fields: Any,
) -> Comparison:
    """Run a request for all combinations of some of its fields' values, side by side.

        sdnb.compare(pipe, "a red circle", sampler=["ddim", "euler", "heun"], steps=[5, 10, 20])

    What the runs ask at the same time goes through the network in one call, whatever their
    samplers, levels, prompts or seeds. Each picture equals that of a lone run up to rounding.
    Without a seed one is drawn, the same for all.

    Parameters
    ----------
    request : GenerationRequest or str
        A request, or its prompt.
    zipped : bool
        Whether lists go side by side (first values, second values, ...) in place of crossing.
    keep : str
        What traces keep, as in `Pipeline.start`.
    exact : bool
        Whether each cell runs alone: equal to its lone run to the last bit, and as slow.
    **fields
        Fields of `GenerationRequest`, and ``hooks`` (`Hooks`): a list is an axis, anything else
        holds for all. A value of the axis ``hooks`` is `Hooks`, or a tuple of `HookUse`.

    Returns
    -------
    Comparison
        After an interrupt with what there is: ``resume()`` computes the rest. A cell that
        fails leaves the others.
    """
    plan = plan_fields(request, fields, zipped=zipped)
    return computed(Comparison(plan, Lockstep(pipe, keep, exact=exact), pipe.history))


def computed(comparison: Comparison) -> Comparison:
    """Return a comparison with its cells computed; an interrupt leaves what there is."""
    try:
        return comparison.resume()
    except KeyboardInterrupt:
        return comparison
