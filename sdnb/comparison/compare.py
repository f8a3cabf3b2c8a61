"""Many runs that differ in a few fields, computed together and laid side by side."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from itertools import product
from secrets import randbelow
from typing import Any

from sdnb.comparison.best import Best, find_best
from sdnb.comparison.plan import NO_HOOKS, Axis, Plan, cross, pair
from sdnb.comparison.scores import Scores, score_cells
from sdnb.comparison.solution import solution
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.lockstep import Round, lockstep
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import Result, picture_row, quiet_line
from sdnb.run import Run

NO_AXIS = Axis(name="", settings=({},))

SHOWN_WIDTH = 128
"""Pictures of a grid are drawn at least this wide, in CSS pixels."""


@dataclass(eq=False)
class Comparison:
    """A plan's runs: those that have ended, and those that `resume` goes on with.

    Attributes
    ----------
    results : list of Result or None
        One for each cell of the plan; of equal cells the same.
    errors : dict
        Cell -> what ended it. The others are not touched by it.
    calls : list of tuple of int
        Which cells shared each round of network calls. Pictures of such a batch differ from
        those of lone runs by rounding.
    """

    pipe: Pipeline
    plan: Plan
    keep: str = "all"
    results: list[Result | None] = field(init=False)
    errors: dict[int, SdnbError] = field(init=False, default_factory=dict)
    calls: list[tuple[int, ...]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.results = [None] * len(self.plan.cells)
        self._networks = Networks(Denoiser(self.pipe.components))
        self._runs: dict[int, Run] = {}
        self._first: dict[object, int] = {}
        self._solutions: Comparison | None = None
        for number, cell in enumerate(self.plan.cells):
            self._first.setdefault(cell.work, number)

    @property
    def is_complete(self) -> bool:
        """Whether every cell has its result or its error."""
        return not self._open()

    def resume(self) -> "Comparison":
        """Compute what is left; returns itself. An interrupt leaves what there is."""
        for _ in self.rounds():
            continue
        return self

    def rounds(self) -> Iterator[Round]:
        """Compute what is left, round by round; the results fill up meanwhile."""
        for number in self._open():
            self._begin(number)
        numbers = list(self._runs)
        rounds = lockstep(self._networks, list(self._runs.values()))
        while (each := self._next(rounds)) is not None:
            self.calls.append(tuple(numbers[which] for which in each.asked))
            for which, error in each.failed.items():
                self.errors[numbers[which]] = error
                del self._runs[numbers[which]]
            for which in each.ended:
                self._end(numbers[which])
            yield each

    def at(self, **values: object) -> Result:
        """Return the result of the one cell with these values: ``at(sampler="euler", steps=10)``.

        Raises `UnknownName` for an axis or a value that is not there, the cell's own error where
        it failed, `InvalidField` where several cells fit or this one is still to come.
        """
        number = self._number(values)
        if (error := self.error(number)) is not None:
            raise error
        result = self.results[number]
        if result is None:
            raise InvalidField(
                "this cell is not computed yet.", given=values, fix="comparison.resume()"
            )
        return result

    def error(self, number: int) -> SdnbError | None:
        """Return what ended a cell, by its place in the plan; None where nothing did."""
        return self.errors.get(self._first[self.plan.cells[number].work])

    def solutions(self) -> list[Result | None]:
        """Solve each finished cell's own ODE finely, once for all that start alike.

        See `sdnb.comparison.solution`. An interrupt keeps what is solved; ask again to go on.
        """
        done = {number: result for number, result in enumerate(self.results) if result is not None}
        cells = (
            solution(self.pipe.components, self.plan.cells[number], result)
            for number, result in done.items()
        )
        plan = Plan(axes=(), cells=tuple(cells))
        if self._solutions is None or self._solutions.plan != plan:
            self._solutions = Comparison(self.pipe, plan, keep="none")
        found = dict(zip(done, self._solutions.resume().results, strict=True))
        return [found.get(number) for number in range(len(self.results))]

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
        return {"text/plain": repr(self), "text/html": self._html()}

    def _open(self) -> list[int]:
        firsts = self._first.values()
        return [n for n in firsts if self.results[n] is None and n not in self.errors]

    def _next(self, rounds: Iterator[Round]) -> Round | None:
        with self.pipe.turn():
            return next(rounds, None)

    def _begin(self, number: int) -> None:
        run, cell = self._runs.get(number), self.plan.cells[number]
        if run is not None and not run.has_failed:
            return  # since an interrupt it waits at its question, or at its end
        try:
            self._runs[number] = self.pipe.start(cell.request, hooks=cell.hooks, keep=self.keep)
        except SdnbError as error:
            self.errors[number] = error

    def _end(self, number: int) -> None:
        result = self._runs.pop(number).finish()
        for other, cell in enumerate(self.plan.cells):
            if self._first[cell.work] == number:
                self.results[other] = result

    def _number(self, values: dict[str, object]) -> int:
        names = [axis.name for axis in self.plan.axes]
        wanted = {}
        for name, value in values.items():
            UnknownName.check("axis", name, names)
            labels = self.plan.axes[names.index(name)].labels
            label = f"{value:g}" if isinstance(value, float) else str(value)
            UnknownName.check(f"value of {name}", label, labels)
            wanted[name] = label
        found = [
            number
            for number, cell in enumerate(self.plan.cells)
            if wanted.items() <= dict(zip(names, cell.labels, strict=True)).items()
        ]
        if len(found) != 1:
            raise InvalidField(
                f"{len(found)} cells have these values.",
                given=values,
                allowed=repr(self.plan),
                fix="give a value for each axis",
            )
        return found[0]

    def _html(self) -> str:
        """Draw tables: the last axis across, the one before it down, a table for the others."""
        *above, down, across = (NO_AXIS, NO_AXIS, *self.plan.axes)
        pictures = iter([self._picture(number) for number in range(len(self.results))])
        tables = [
            _table(", ".join(filter(None, labels)), down, across, pictures)
            for labels in product(*(_captions(axis) for axis in above))
        ]
        return "".join(tables) + quiet_line(repr(self)[1:-1])

    def _picture(self, number: int) -> str:
        cell, result = self.plan.cells[number], self.results[number]
        error = self.errors.get(self._first[cell.work])
        if error is not None:
            return f"{escape(type(error).__name__)}: {escape(error.what)}"
        if result is None:
            return "…"
        names = (axis.name for axis in self.plan.axes)
        alt = ", ".join(f"{name} {label}" for name, label in zip(names, cell.labels, strict=True))
        pictures = picture_row(result.images, [alt] * len(result.images), width=SHOWN_WIDTH)
        return pictures + quiet_line(f"{result.evaluations} evaluations")


def compare(
    pipe: Pipeline,
    prompt: GenerationRequest | str = "",
    *,
    zipped: bool = False,
    keep: str = "all",
    **fields: Any,
) -> Comparison:
    """Run a request for all combinations of some of its fields' values, side by side.

        sdnb.compare(pipe, "a red circle", sampler=["ddim", "euler", "heun"], steps=[5, 10, 20])

    What the runs ask at the same time goes through the network in one call, whatever their
    samplers, levels, prompts or seeds. Each picture equals that of a lone run up to rounding.
    Without a seed one is drawn, the same for all.

    Parameters
    ----------
    zipped : bool
        Whether lists go side by side (first values, second values, ...) in place of crossing.
    keep : str
        What traces keep, as in `Pipeline.start`.
    **fields
        Fields of `GenerationRequest`, and ``hooks`` (`Hooks`): a list is an axis, anything else
        holds for all.

    Returns
    -------
    Comparison
        After an interrupt with what there is: ``resume()`` computes the rest. A cell that
        fails leaves the others.
    """
    request = GenerationRequest(prompt=prompt) if isinstance(prompt, str) else prompt
    axes = {name: each for name, each in fields.items() if isinstance(each, list)}
    fixed = {name: each for name, each in fields.items() if name not in axes}
    if request.seed is None and fields.get("seed") is None:
        fixed["seed"] = randbelow(2**32)
    hooks = fixed.pop("hooks", NO_HOOKS)
    plan = (pair if zipped else cross)(request.changed(**fixed), axes, hooks)
    comparison = Comparison(pipe, plan, keep)
    try:
        return comparison.resume()
    except KeyboardInterrupt:
        return comparison


def _captions(axis: Axis) -> list[str]:
    return [f"{axis.name} {label}".strip() for label in axis.labels]


def _table(caption: str, down: Axis, across: Axis, pictures: Iterator[str]) -> str:
    head = "".join(f"<th>{escape(label)}</th>" for label in _captions(across))
    rows = ""
    for label in _captions(down):
        cells = "".join(f"<td>{next(pictures)}</td>" for _ in across.labels)
        rows += f"<tr><th>{escape(label)}</th>{cells}</tr>"
    return f"<table><caption>{escape(caption)}</caption><tr><th></th>{head}</tr>{rows}</table>"
