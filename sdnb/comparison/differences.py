"""How far the cells of a comparison are from one of them, step by step."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from sdnb.errors import InvalidField
from sdnb.result import Result
from sdnb.shapes import Latents
from sdnb.trace import Trace

if TYPE_CHECKING:
    from sdnb.comparison.compare import Comparison


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A cell's distance to the reference at the levels of its own steps.

    Parameters
    ----------
    sigmas, rmse : tuple of float
        Falling levels, usually to 0, and the root of the mean squared distance of the latents of
        all images there, scaled by ``1 / sqrt(1 + sigma**2)``, so that all levels have one size.
    """

    name: str
    sigmas: tuple[float, ...]
    rmse: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Differences:
    """The distances of several cells to the same one; ``reference`` is its name."""

    reference: str
    cells: tuple[Difference, ...]


def measure_differences(comparison: "Comparison", reference: Mapping[str, object]) -> Differences:
    """Measure each finished cell's distance to one of them, step by step, at equal levels.

    Where the reference makes no stop at a level, its latents are those on the straight line in
    sigma between its stops before and after: just where a step of Euler's method leads. Levels
    that it does not reach are left out. At level 0 the distance is that of the finished latents.

    Parameters
    ----------
    reference : Mapping
        The values of a cell: ``{"sampler": "heun", "steps": 40}``.

    Raises
    ------
    InvalidField
        Where a run kept no states, and for cells of several sizes.
    """
    goal = comparison.at(**reference)
    names = comparison.plan.names
    pairs = [
        (name, result)
        for name, result in zip(names, comparison.results, strict=True)
        if result is not None and result is not goal
    ]
    _check([goal, *(result for _, result in pairs)])
    return Differences(
        reference=names[comparison.results.index(goal)],
        cells=tuple(_difference(name, result.trace, goal.trace) for name, result in pairs),
    )


def _difference(name: str, trace: Trace, goal: Trace) -> Difference:
    start = goal.sigmas[0] * (1 + 1e-5)  # of the same start, rounded
    shared = [
        (sigma, (x - _at(goal, sigma)) / sqrt(1 + sigma**2))
        for sigma, x in zip(trace.sigmas, trace.x, strict=True)
        if goal.sigmas[-1] <= sigma <= start
    ]
    return Difference(
        name=name,
        sigmas=tuple(sigma for sigma, _ in shared),
        rmse=tuple(float(apart.double().square().mean().sqrt()) for _, apart in shared),
    )


def _at(trace: Trace, sigma: float) -> Latents:
    """Return the latents at a level, on the straight line between the stops around it."""
    after = bisect_right(trace.sigmas, -sigma, key=lambda level: -level)
    if after == 0 or after == len(trace.sigmas):
        return trace.x[max(0, after - 1)]
    high, low = trace.sigmas[after - 1], trace.sigmas[after]
    return trace.x[after].lerp(trace.x[after - 1], (sigma - low) / (high - low))


def _check(results: Sequence[Result]) -> None:
    for result in results:
        result.trace.check_states()
    sizes = sorted({tuple(result.latents.shape) for result in results})
    if len(sizes) > 1:
        raise InvalidField(
            "latents can be compared where they are of one size.",
            given=" and ".join(" x ".join(map(str, size)) for size in sizes),
            allowed="as many images of one width and height in each cell",
            fix="compare cells of one size",
        )
