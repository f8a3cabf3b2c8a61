"""Numbers under the pictures of a comparison: what each cell took, how far it is from its goal.

The goal is a cell that is named, or where the cell's own ODE leads (`sdnb.comparison.solution`).
Which cell is best, in words, is in `sdnb.comparison.best`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from sdnb.comparison.record import in_words
from sdnb.comparison.solution import EVALUATIONS, psnr, rmse, why_off_path
from sdnb.models.checkpoint import EMBEDDED
from sdnb.models.vae import from_pil
from sdnb.prompt import edited, read_chunks
from sdnb.request import GenerationRequest
from sdnb.result import Result, quiet_line

if TYPE_CHECKING:
    from sdnb.comparison.compare import Comparison

ITSELF = "the reference itself"
HEADINGS = {
    "evaluations": "evaluations",
    "seconds": "seconds",
    "latent_rmse": "latent RMSE",
    "pixel_rmse": "pixel RMSE",
    "psnr": "PSNR, dB",
    "matches_prompt": "as the prompt says",
    "left_out": "not ranked",
}
Number = int | float | str | bool | None


@dataclass(frozen=True, kw_only=True)
class Score:
    """A cell in numbers; None where a number is not known.

    Parameters
    ----------
    name : str
        The cell in words: ``"heun, steps 10"``.
    labels : Mapping of str to str
        By axis.
    sampler : str
        With its options.
    seconds : float
        Its share of the network calls that cells made together, and its own work.
    latent_rmse : float
        Root of the mean squared distance of its latents, of all images, to the goal's.
    pixel_rmse, psnr : float
        The same of its 8-bit pictures, 0 … 1, and in dB below the full range.
    matches_prompt : bool
        Whether each picture shows what the prompt says, background included: of the embedded
        model at its own size, for prompts in the words of its world.
    floor : float
        How sure its goal itself is: nearer cells are as near as can be told.
    left_out : str
        Why its distance is not ranked: it failed, or noise of its own is part of the distance.
    """

    name: str
    labels: Mapping[str, str]
    sampler: str
    evaluations: int | None = None
    seconds: float | None = None
    latent_rmse: float | None = None
    pixel_rmse: float | None = None
    psnr: float | None = None
    matches_prompt: bool | None = None
    floor: float | None = None
    left_out: str = ""

    @property
    def rank(self) -> tuple[float, int]:
        """What cells are ranked by: distance, then cost; below the floor all are alike."""
        return max(self.latent_rmse or 0.0, self.floor or 0.0), self.evaluations or 0


@dataclass(frozen=True, eq=False)
class Scores:
    """All cells of a comparison in numbers; they draw themselves as a table.

    Parameters
    ----------
    rows : tuple of Score
        In the plan's order; failed cells too.
    goal : str
        What the distances are measured to, in words.
    """

    rows: tuple[Score, ...]
    goal: str

    def __iter__(self) -> Iterator[Score]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ranked(self) -> tuple[Score, ...]:
        """The cells whose distances can be compared, the nearest first."""
        found = [row for row in self.rows if row.latent_rmse is not None and not row.left_out]
        return tuple(sorted(found, key=attrgetter("rank")))

    @property
    def front(self) -> tuple[Score, ...]:
        """The Pareto front, by rising evaluations: no ranked cell is nearer for as few."""
        best: list[Score] = []
        for row in self.ranked:  # from near to far: whoever comes later must be cheaper
            if not best or (row.evaluations or 0) < (best[-1].evaluations or 0):
                best.append(row)
        return tuple(reversed(best))

    def nearest(self, evaluations: int) -> Score | None:
        """Return the nearest ranked cell with at most so many evaluations, if there is one."""
        fitting = (row for row in self.ranked if (row.evaluations or 0) <= evaluations)
        return next(fitting, None)

    @property
    def records(self) -> list[dict[str, Number]]:
        """The rows as plain values: the labels, then one entry for each of `HEADINGS`."""
        numbers = [{key: getattr(row, key) for key in HEADINGS} for row in self.rows]
        return [{**row.labels, **each} for row, each in zip(self.rows, numbers, strict=True)]

    # A DataFrame of pandas, which has no types where it is not installed.
    def table(self) -> Any:
        """Return a pandas DataFrame with the goal in its ``attrs``; without pandas, itself."""
        try:
            pandas = import_module("pandas")
        except ImportError:
            return self
        frame = pandas.DataFrame(self.records)
        frame.attrs["distances to"] = self.goal
        return frame

    def __repr__(self) -> str:
        headings, *rows = self._cells()
        widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (headings, *rows)
        ]
        return "\n".join([*lines, self._said])

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        headings, *rows = self._cells()
        head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        html = f'<div style="overflow-x:auto">{table}</div>{quiet_line(self._said)}'
        return {"text/plain": repr(self), "text/html": html}

    @property
    def _said(self) -> str:
        return f"Distances are to {self.goal}."

    def _cells(self) -> list[list[str]]:
        """Return headings and rows as text, without the columns that say nothing."""
        records = self.records
        names = list(records[0]) if records else []
        told = [name for name in names if any(row[name] not in (None, "") for row in records)]
        headings = [HEADINGS.get(name, name) for name in told]
        return [headings, *([_written(row[name]) for name in told] for row in records)]


def score_cells(comparison: "Comparison", reference: Mapping[str, object] | None = None) -> Scores:
    """Measure each cell's distance to a cell, or to where its own ODE leads.

    Parameters
    ----------
    reference : Mapping, optional
        The values of a cell: ``{"sampler": "heun", "steps": 40}``. Without it the ODEs are
        solved, twice: this takes about 500 evaluations for each, and calls the hooks of its cells.
        Cells with other prompts, seeds or guidance have other ODEs, not all equally hard.
    """
    if reference is not None:
        goal = comparison.at(**reference)
        said = comparison.plan.names[comparison.results.index(goal)]
        return Scores(_rows(comparison, [goal] * len(comparison.results)), said)
    solved = comparison.solutions()
    count = len({each.id for each in solved.goals if each is not None})
    worst = max((floor for floor in solved.floors if floor is not None), default=None)
    sure = "" if worst is None else f", sure to {worst:.2g}"
    said = f"the converged solution ({EVALUATIONS} evaluations{sure})"
    if count > 1:
        said = (
            f"the converged solution of its own ODE ({EVALUATIONS} evaluations{sure}; {count} ODEs)"
        )
    return Scores(_rows(comparison, solved.goals, solved.floors), said)


def score_costs(comparison: "Comparison") -> Scores:
    """Return the cells in numbers without any distance: nothing is computed for it."""
    return Scores(_rows(comparison, [None] * len(comparison.results)), "nothing")


def _rows(
    comparison: "Comparison",
    goals: Sequence[Result | None],
    floors: Sequence[float | None] | None = None,
) -> tuple[Score, ...]:
    sure = floors or [None] * len(goals)
    return tuple(
        replace(_score(comparison, number, goal), floor=floor)
        for number, (goal, floor) in enumerate(zip(goals, sure, strict=True))
    )


def _score(comparison: "Comparison", number: int, goal: Result | None) -> Score:
    cell, result = comparison.plan.cells[number], comparison.outcome(number)
    axes = (axis.name for axis in comparison.plan.axes)
    told: dict[str, Any] = {
        "name": comparison.plan.names[number],
        "labels": dict(zip(axes, cell.labels, strict=True)),
        "sampler": str(cell.request.sampler),
    }
    if not isinstance(result, Result):
        return Score(**told, left_out=in_words(result))
    told |= {
        "evaluations": result.evaluations,
        "seconds": result.seconds,
        "matches_prompt": _matches_prompt(result),
    }
    if goal is None:
        has_two = cell.request.hires is not None
        left_out = why_off_path(cell.request) if has_two else "no solution"
        return Score(**told, left_out=left_out)
    if goal.latents.shape != result.latents.shape:
        return Score(**told, left_out="another size")
    left_out = ITSELF if goal is result else why_off_path(cell.request)
    return Score(**told, **_distances(result, goal), left_out=left_out)


def _distances(result: Result, goal: Result) -> dict[str, Any]:
    pixels = rmse(from_pil(result.images), from_pil(goal.images))
    return {
        "latent_rmse": rmse(result.latents, goal.latents),
        "pixel_rmse": pixels,
        "psnr": psnr(pixels),
    }


def _matches_prompt(result: Result) -> bool | None:
    """Judge the pictures by the prompt; None where there is nothing to judge them by."""
    from sdnb.training.checker import read_picture
    from sdnb.training.expectation import read_caption
    from sdnb.training.world import SIDE

    asked = read_caption(_words(result.request))
    sizes = {image.size for image in result.images}
    if result.request.checkpoint not in EMBEDDED or asked is None or sizes != {(SIDE, SIDE)}:
        return None
    readings = (read_picture(np.asarray(image.convert("RGB"))) for image in result.images)
    return all(map(asked.is_met_by, readings))


def _words(request: GenerationRequest) -> str:
    """Return a prompt without weights; "" where its words change on the way."""
    if len(edited(request.prompt, request.steps_made[0], request.syntax)) > 1:
        return ""
    chunks = read_chunks(request.prompt, request.syntax)
    return "".join(piece.text for chunk in chunks for piece in chunk)


def _written(value: Number) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
