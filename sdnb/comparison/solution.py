"""Where a run's own ODE leads: the cell that solves it finely, and which runs leave it.

Guided denoising follows an ordinary differential equation from the latents that a run starts
with; a sampler and a schedule decide only how closely. The path of a cell has the cell's own
hooks, which are called again: one that counts steps acts at other levels there.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from math import inf, log10

from torch import Tensor

from sdnb.choice import Choice
from sdnb.comparison.engine import Lockstep, Progress
from sdnb.comparison.plan import Cell
from sdnb.diffusion.samplers.contract import Sampler
from sdnb.models.components import Components
from sdnb.pipeline import Pipeline
from sdnb.prompt import edited
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.result import Result

STEPS = 200
EVALUATIONS = 2 * STEPS - 1
"""Heun's method asks twice a step, and once in the last."""

CHECK_STEPS = 100

_RHO = 7


@dataclass(frozen=True, eq=False)
class Solutions:
    """Where the ODE of each cell of a comparison leads.

    Parameters
    ----------
    goals : tuple of Result or None
        One for each cell; None for what has no result, or could not be solved.
    floors : tuple of float or None
        How far another fine solution is from each: what is nearer than that cannot be told
        apart. A network that is told whole timesteps bends the path a little at each.
    """

    goals: tuple[Result | None, ...]
    floors: tuple[float | None, ...]


class Solver:
    """Solves the ODEs of cells, twice and each of them once; what is solved is kept.

    An interrupt loses none that has ended.
    """

    def __init__(self) -> None:
        self._solved: dict[object, Result] = {}

    def solve(
        self, pipe: Pipeline, cells: Sequence[Cell], results: Sequence[Result | None]
    ) -> Solutions:
        """Solve the ODE of each cell that has its result; those that start alike have the same.

        A cell of two passes has none: its second pass begins where the first one ends.
        """
        for _ in self.rounds(pipe, cells, results):
            continue
        pairs = _pairs(pipe, cells, results)
        goals = [pair and self._solved.get(pair[0].work) for pair in pairs]
        others = [pair and self._solved.get(pair[1].work) for pair in pairs]
        floors = (
            rmse(goal.latents, other.latents) if goal and other else None
            for goal, other in zip(goals, others, strict=True)
        )
        return Solutions(goals=tuple(goals), floors=tuple(floors))

    def rounds(
        self, pipe: Pipeline, cells: Sequence[Cell], results: Sequence[Result | None]
    ) -> Generator[Progress, None, None]:
        """Solve what `solve` would, round by round; whoever iterates may stop."""
        pairs = _pairs(pipe, cells, results)
        wanted = {each.work: each for pair in pairs if pair for each in pair}
        new = {n: cell for n, (work, cell) in enumerate(wanted.items()) if work not in self._solved}
        for each in Lockstep(pipe, "none").rounds(new):
            self._solved |= {new[number].work: result for number, result in each.ended.items()}
            yield each


def _pairs(
    pipe: Pipeline, cells: Sequence[Cell], results: Sequence[Result | None]
) -> list[tuple[Cell, Cell] | None]:
    return [
        None
        if result is None or cell.request.hires is not None
        else _twice(pipe.components, cell, result)
        for cell, result in zip(cells, results, strict=True)
    ]


def _twice(components: Components, cell: Cell, result: Result) -> tuple[Cell, Cell]:
    fine = solution(components, cell, result)
    return fine, another(fine)


def solution(components: Components, cell: Cell, result: Result) -> Cell:
    """Return the cell that solves a finished one's ODE: cells that start alike have the same.

    By Heun's method, through `STEPS` levels from the cell's first one (to six digits) to the
    model's lowest, spaced as in Karras et al. 2022 (arXiv:2206.00364), eq. 5, and on to 0.
    """
    start = float(f"{result.trace.sigmas[0]:.6g}")
    low = min(components.noise_schedule.sigma_min, start / 2)
    fine = cell.request.changed(
        seed=result.request.seed,
        sampler=Choice("heun"),
        steps=STEPS,
        schedule=Choice("custom", (("sigmas", _between(start, low)),)),
        denoise=1.0,  # the levels say where they begin
        strength=None,
    )
    return replace(cell, labels=(), request=fine)


def another(fine: Cell) -> Cell:
    """Return a second solution, made differently: `dpmpp_2m` through evenly falling log levels."""
    levels = dict(fine.request.schedule.options)["sigmas"]
    if not isinstance(levels, tuple):
        raise TypeError("a solution goes through levels of its own")
    high, low = levels[0], levels[-1]
    falling = tuple(high * (low / high) ** (i / (CHECK_STEPS - 1)) for i in range(CHECK_STEPS))
    request = fine.request.changed(
        sampler=Choice("dpmpp_2m"),
        steps=CHECK_STEPS,
        schedule=Choice("custom", (("sigmas", falling),)),
    )
    return replace(fine, request=request)


def why_off_path(request: GenerationRequest) -> str:
    """Say why a run leaves its ODE, however fine its steps; "" where it follows it.

    What hooks do to it is not known here.
    """
    if request.hires is not None:
        return "a second pass"
    choice = request.sampler
    entry: Sampler = SAMPLERS[choice.name]
    options = {**SAMPLERS.options(choice.name), **dict(choice.options)}
    if any(
        len(edited(text, request.steps_made[0], request.syntax)) > 1
        for text in (request.prompt, request.negative_prompt)
    ):
        return "words that change on the way"
    if options.get("s_churn", 0) > 0 or options.get("eta", inf if entry.stochastic else 0) > 0:
        return "noise of its own"
    if entry.asks_both and request.cfg_scale != 1:
        return "the path of CFG++"
    if entry.own_levels and entry.order is None and not entry.adaptive:  # those of diffusers
        return "a start of its own"
    return ""


def _between(high: float, low: float) -> tuple[float, ...]:
    first, last = high ** (1 / _RHO), low ** (1 / _RHO)
    ramp = (index / (STEPS - 1) for index in range(1, STEPS))
    return high, *((first + share * (last - first)) ** _RHO for share in ramp)


def rmse(these: Tensor, those: Tensor) -> float:
    """Return the root of the mean squared distance of two tensors of one shape."""
    return float((these - those).double().square().mean().sqrt())


def psnr(error: float) -> float:
    """Return the peak signal-to-noise ratio of pixels in 0 … 1 with this RMSE, in dB."""
    return -20 * log10(error) if error else inf
