"""Which cell of a comparison is best, and what this is based on, in words."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sdnb.comparison.scores import Score, Scores, score_cells, score_costs
from sdnb.errors import InvalidField, UnknownName
from sdnb.result import Result, picture_row

if TYPE_CHECKING:
    from sdnb.comparison.compare import Comparison

BY = ("distance", "prompt", "seconds")
"""Nearest to its goal; fewest evaluations of those that show what the prompt says; fastest."""


@dataclass(frozen=True, eq=False)
class Best:
    """The best cell; it draws itself with the verdict.

    Parameters
    ----------
    verdict : str
        Which cell it is, by what, among which others: one line.
    """

    score: Score
    result: Result
    verdict: str

    def __repr__(self) -> str:
        return self.verdict

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        alts = [self.score.name] * len(self.result.images)
        html = f"{picture_row(self.result.images, alts)}<div>{escape(self.verdict)}</div>"
        return {"text/plain": repr(self), "text/html": html}


def find_best(
    comparison: "Comparison",
    by: str = "distance",
    evaluations: int | None = None,
    reference: Mapping[str, object] | None = None,
) -> Best:
    """Return the best cell of those with at most so many evaluations.

    Parameters
    ----------
    by : str
        One of `BY`. By distance, cells that leave their ODE are not ranked: noise of their own
        is part of their distance, and says nothing of how good they are.
    evaluations : int, optional
        At most so many; any number if not given.
    reference : Mapping, optional
        What the distance is measured to, as in `Comparison.table`.

    Raises
    ------
    UnknownName
        For another ranking.
    InvalidField
        Where no cell can be ranked so.
    """
    UnknownName.check("way to rank cells", by, BY)
    scores = score_cells(comparison, reference) if by == "distance" else score_costs(comparison)
    limit = float("inf") if evaluations is None else evaluations
    fitting = [row for row in scores if row.evaluations is None or row.evaluations <= limit]
    ranked = _ranked(by, fitting)
    if not ranked:
        raise _nothing(by, evaluations, fitting)
    result = comparison.results[scores.rows.index(ranked[0])]
    if result is None:
        raise TypeError("a cell without a result has no rank")
    most = "" if evaluations is None else f" with at most {evaluations}"
    said = [f"{_praise(by, scores.goal, ranked)}{most}", *_others(by, fitting)]
    return Best(ranked[0], result, "; ".join([*said, _basis(comparison)]))


def _ranked(by: str, rows: Sequence[Score]) -> Sequence[Score]:
    if by == "distance":
        return Scores(tuple(rows), "").ranked
    if by == "prompt":
        return sorted(filter(attrgetter("matches_prompt"), rows), key=attrgetter("evaluations"))
    timed = (row for row in rows if row.seconds is not None)
    return sorted(timed, key=attrgetter("seconds"))


def _praise(by: str, goal: str, ranked: Sequence[Score]) -> str:
    best, count = ranked[0], _counted(len(ranked), "cell")
    asked = _counted(best.evaluations or 0, "evaluation")
    if by == "distance":
        said = f"latent RMSE {best.latent_rmse:.3g} to {goal} with {asked}, the lowest of {count}"
    elif by == "prompt":
        said = f"shows what the prompt says with {asked}, the fewest of {count} that do so"
    else:
        said = f"{best.seconds:.3g} s with {asked}, the fastest of {count}"
    return f"{best.name}: {said}"


def _others(by: str, rows: Sequence[Score]) -> Iterator[str]:
    """Say which cells have no rank, and why."""
    if by == "distance":
        reasons = Counter(row.left_out for row in rows if row.left_out)
    elif by == "prompt":
        reasons = Counter(_unmet(row) for row in rows if not row.matches_prompt)
    else:
        reasons = Counter(row.left_out for row in rows if row.seconds is None)
    if reasons:
        yield "left out: " + ", ".join(f"{count} ({why})" for why, count in reasons.items())


def _unmet(row: Score) -> str:
    if row.evaluations is None:
        return row.left_out
    return "cannot be judged" if row.matches_prompt is None else "shows something else"


def _basis(comparison: "Comparison") -> str:
    requests = [result.request for result in comparison.results if result is not None]
    prompts = {(request.prompt, request.negative_prompt) for request in requests}
    seeds = {seed for result in comparison.results if result for seed in result.seeds}
    return f"{_counted(len(prompts), 'prompt')}, {_counted(len(seeds), 'seed')}"


def _counted(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"


def _nothing(by: str, evaluations: int | None, rows: Sequence[Score]) -> InvalidField:
    return InvalidField(
        f"no cell can be ranked by {by}.",
        given="; ".join(_others(by, rows)) or f"evaluations={evaluations}",
        allowed="a finished cell with no more evaluations, of a sampler without noise of its own"
        if by == "distance"
        else "a finished cell with no more evaluations",
        fix=f"more evaluations, or by another one of {', '.join(BY)}",
    )
