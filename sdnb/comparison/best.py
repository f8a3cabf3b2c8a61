"""Which cell of a comparison is best, and what this is based on, in words."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sdnb.comparison.scores import Score, score_cells, score_costs
from sdnb.errors import InvalidField, UnknownName
from sdnb.result import Result, picture_row

if TYPE_CHECKING:
    from sdnb.comparison.compare import Comparison


@dataclass(frozen=True)
class _Ranking:
    """What cells are ranked by, the least first.

    ``praise`` is filled with the best ``row``, its ``asked`` evaluations, the ``goal`` of the
    distances and the ``count`` of ranked cells; ``why_not`` gives the reason for having no rank.
    """

    key: Callable[[Score], Any]
    praise: str
    why_not: Callable[[Score], str]


def _why_not_judged(row: Score) -> str:
    if row.evaluations is None:
        return row.left_out
    if row.matches_prompt is None:
        return "cannot be judged"
    return "" if row.matches_prompt else "shows something else"


_RANKINGS = {
    "distance": _Ranking(
        attrgetter("rank"),
        "latent RMSE {row.latent_rmse:.3g} to {goal} with {asked}, the best of {count}",
        attrgetter("left_out"),
    ),
    "prompt": _Ranking(
        attrgetter("evaluations"),
        "shows what the prompt says with {asked}, the fewest of {count} that do so",
        _why_not_judged,
    ),
    "seconds": _Ranking(
        attrgetter("seconds"),
        "{row.seconds:.3g} s with {asked}, the fastest of {count}",
        lambda row: row.left_out if row.seconds is None else "",
    ),
}
BY = tuple(_RANKINGS)
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
    limit = inf if evaluations is None else evaluations
    fitting = [row for row in scores if (row.evaluations or 0) <= limit]
    ranking = _RANKINGS[by]
    ranked = sorted((row for row in fitting if not ranking.why_not(row)), key=ranking.key)
    if not ranked:
        raise _nothing(by, evaluations, fitting)
    result = comparison.results[scores.rows.index(ranked[0])]
    if result is None:
        raise TypeError("a cell without a result has no rank")
    praise = ranking.praise.format(
        row=ranked[0],
        asked=_counted(result.evaluations, "evaluation"),
        goal=scores.goal,
        count=_counted(len(ranked), "cell"),
    )
    most = "" if evaluations is None else f" with at most {evaluations}"
    said = [f"{ranked[0].name}: {praise}{most}", *_left_out(by, fitting), _basis(comparison)]
    return Best(ranked[0], result, "; ".join(said))


def _left_out(by: str, rows: Sequence[Score]) -> Iterator[str]:
    """Say how many cells have no rank, and why."""
    reasons = Counter(filter(None, map(_RANKINGS[by].why_not, rows)))
    if reasons:
        yield "left out: " + ", ".join(f"{count} ({why})" for why, count in reasons.items())


def _basis(comparison: "Comparison") -> str:
    done = [result for result in comparison.results if result is not None]
    prompts = {(result.request.prompt, result.request.negative_prompt) for result in done}
    seeds = {seed for result in done for seed in result.seeds}
    return f"{_counted(len(prompts), 'prompt')}, {_counted(len(seeds), 'seed')}"


def _counted(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"


def _nothing(by: str, evaluations: int | None, rows: Sequence[Score]) -> InvalidField:
    return InvalidField(
        f"no cell can be ranked by {by}.",
        given="; ".join(_left_out(by, rows)) or f"evaluations={evaluations}",
        allowed="a finished cell that took no more evaluations, and is not left out",
        fix=f"allow more evaluations, or rank by another one of {', '.join(BY)}",
    )
