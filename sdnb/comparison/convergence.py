"""How fast a sampler's error falls with the number of evaluations.

On an analytic denoiser, whose true endpoint is known, and on a checkpoint, against its own fine
solution. Both stop at the schedule's last level before 0, where the methods still differ: the
step to 0 is the same for all of them, the model's answer itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import log
from statistics import linear_regression
from typing import Any

import torch

from sdnb.choice import Choice
from sdnb.comparison.denoising import Both, Counted, as_denoiser, starting_latents
from sdnb.comparison.samplers import known_names
from sdnb.diffusion.analytic import GaussianMixture, three_blobs
from sdnb.diffusion.noise_schedules import NoiseSchedule, scaled_linear
from sdnb.diffusion.samplers.contract import Sampler
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.shapes import State

STEPS = (5, 10, 20, 40)
REFERENCE_EVALUATIONS = 400
STARTS = 64
"""How many starts of the analytic problem the error is averaged over."""


@dataclass(frozen=True, kw_only=True)
class ErrorCurve:
    """A sampler's errors, one for each number of steps.

    Parameters
    ----------
    order : int or None
        The order of convergence that the registry declares.
    fitted : float or None
        As `fitted_order` says; None where fewer than two points stand clear of the floor.
    """

    sampler: str
    order: int | None
    steps: tuple[int, ...]
    evaluations: tuple[int, ...]
    errors: tuple[float, ...]
    fitted: float | None


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """The error curves of several samplers on one problem.

    Parameters
    ----------
    unit : str
        What an error, an RMS distance, is measured in: that of the ``"data"``, or ``"latents"``.
    floor : float
        What the true endpoint itself is uncertain by, in the same unit.
    left_out : tuple of (str, str)
        Samplers that cannot be measured so, and why.
    """

    problem: str
    unit: str
    schedule: str
    floor: float
    curves: tuple[ErrorCurve, ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Problem:
    """A denoiser with a start, and where the ODE leads from there."""

    about: Convergence
    denoiser: Both
    levels: Callable[[int], list[float]]
    start: Callable[[float], State]
    end: Callable[[float, float], State]
    noise_schedule: NoiseSchedule
    one_path: bool  # both halves of an answer are the same, so that CFG++ follows the ODE


def measure_convergence(
    samplers: Sequence[str] | None = None,
    steps: Sequence[int] = STEPS,
    *,
    schedule: str = "karras",
    mixture: GaussianMixture | None = None,
) -> Convergence:
    """Measure samplers on data whose best denoiser and true endpoint are known.

    Parameters
    ----------
    samplers : sequence of str, optional
        Registered names; all of them if not given. Stochastic ones run with their noise
        switched off; those that cannot are left out.
    steps : sequence of int
        Rising numbers of steps.
    mixture : GaussianMixture, optional
        The data; `three_blobs` if not given.
    """
    data, clock = mixture or three_blobs(), scaled_linear()

    @cache
    def end(sigma: float, sigma_end: float) -> State:
        return data.endpoint(data.start(STARTS, sigma), sigma, sigma_end)

    def denoiser(x: State, sigma: float) -> tuple[State, State]:
        answer = data(x, sigma)
        return answer, answer

    problem = _Problem(
        about=Convergence(
            problem=f"exact denoiser of {len(data.weights)} Gaussians in {data.means.shape[1]}-D",
            unit="data",
            schedule=schedule,
            floor=1e-11,
            curves=(),
            left_out=(),
        ),
        denoiser=denoiser,
        levels=partial(_levels, Choice.parse(schedule), clock),
        start=lambda sigma: data.start(STARTS, sigma),
        end=end,
        noise_schedule=clock,
        one_path=True,
    )
    return _measure(problem, samplers, steps)


def measure_model_convergence(
    pipe: Pipeline,
    request: GenerationRequest | str = "",
    samplers: Sequence[str] | None = None,
    steps: Sequence[int] = STEPS,
    *,
    reference: int = REFERENCE_EVALUATIONS,
) -> Convergence:
    """Measure samplers on a checkpoint, against its own solution of ``reference`` evaluations.

    Parameters
    ----------
    request : GenerationRequest or str
        Prompt, seed, guidance, size and schedule; its sampler, steps and hooks are not used.
    reference : int
        Evaluations of the fine solution, by Heun's method, at least 4. A quarter as many of
        `dpmpp_2m` through other levels tell its uncertainty, the `Convergence.floor`: a network
        that is told whole timesteps bends the path a little at each.
    """
    if isinstance(request, str):
        request = GenerationRequest(prompt=request)
    parts, schedule = pipe.components, request.schedule
    clock, denoiser = parts.noise_schedule, as_denoiser(pipe, request)

    def start(sigma: float) -> State:
        return starting_latents(pipe, request, sigma)

    def solve(schedule: Choice, name: str, steps: int) -> State:
        levels = _levels(schedule, clock, steps)
        return sample(denoiser, start(levels[0]), levels, name)

    fine = solve(schedule, "heun", reference // 2)
    rough = solve(_other(schedule), "dpmpp_2m", reference // 4)
    problem = _Problem(
        about=Convergence(
            problem=f"{parts.reference}, cfg {request.cfg_scale:g}: {request.prompt!r}",
            unit="latents",
            schedule=str(schedule),
            floor=_distance(fine, rough),
            curves=(),
            left_out=(),
        ),
        denoiser=denoiser,
        levels=partial(_levels, schedule, clock),
        start=start,
        end=lambda _sigma, _sigma_end: fine,
        noise_schedule=clock,
        one_path=request.cfg_scale == 1,
    )
    return _measure(problem, samplers, steps)


def quiet_options(name: str) -> dict[str, float]:
    """Return the options that switch a sampler's noise off: ``eta=0`` and ``s_noise=0``."""
    return {option: 0.0 for option in ("eta", "s_noise") if option in SAMPLERS.options(name)}


def _measure(
    problem: _Problem, samplers: Sequence[str] | None, steps: Sequence[int]
) -> Convergence:
    _check_steps(steps)
    names = known_names(samplers)
    reasons = {name: _why_not(SAMPLERS[name], problem) for name in names}
    return replace(
        problem.about,
        curves=tuple(_curve(problem, name, steps) for name in names if not reasons[name]),
        left_out=tuple((name, reason) for name, reason in reasons.items() if reason),
    )


def _why_not(entry: Sampler, problem: _Problem) -> str:
    if entry.own_levels and entry.order is None and not entry.adaptive:  # those of diffusers
        return "begins and ends at levels of its own"
    if entry.stochastic and "eta" not in SAMPLERS.options(entry.name):
        return "draws noise that no option switches off"
    if entry.asks_both and not problem.one_path:
        return "CFG++ follows another path than the guided model's"
    return ""


def _curve(problem: _Problem, name: str, steps: Sequence[int]) -> ErrorCurve:
    entry: Sampler = SAMPLERS[name]
    if entry.adaptive:
        steps = steps[-1:]  # it takes as many as it needs, whatever is asked
    points = [_point(problem, name, count) for count in steps]
    evaluations, errors = zip(*points, strict=True)
    return ErrorCurve(
        sampler=name,
        order=entry.order,
        steps=tuple(steps),
        evaluations=evaluations,
        errors=errors,
        fitted=fitted_order(steps, errors, problem.about.floor),
    )


def _point(problem: _Problem, name: str, steps: int) -> tuple[int, float]:
    counted = Counted(problem.denoiser)
    levels = problem.levels(steps)
    options: dict[str, Any] = {"noise_schedule": problem.noise_schedule, **quiet_options(name)}
    end = sample(counted, problem.start(levels[0]), levels, name, **options)
    return counted.asked, _distance(end, problem.end(levels[0], levels[-1]))


def fitted_order(steps: Sequence[int], errors: Sequence[float], floor: float = 0.0) -> float | None:
    """Return the slope of ``-log(error)`` over ``log(steps)``.

    At the finer half of the points whose error is clear of the floor, three times as large.
    """
    pairs = zip(steps, errors, strict=True)
    clear = [(log(count), -log(error)) for count, error in pairs if error > 3 * floor]
    if len(clear) < 2:
        return None
    finer = clear[(len(clear) - 1) // 2 :]
    logs, falls = zip(*finer, strict=True)
    return linear_regression(logs, falls).slope


def _levels(schedule: Choice, clock: NoiseSchedule, steps: int) -> list[float]:
    options: dict[str, Any] = dict(schedule.options)
    levels = sigmas(schedule.name, steps + 1, noise_schedule=clock, **options)
    falling: list[float] = levels[:-1].tolist()
    return falling


def _other(schedule: Choice) -> Choice:
    return Choice("karras" if schedule.name == "exponential" else "exponential")


def _distance(x: State, y: State) -> float:
    return float(torch.sqrt((x - y).double().square().mean()))


def _check_steps(steps: Sequence[int]) -> None:
    whole = all(isinstance(count, int) and count >= 1 for count in steps)
    if not (steps and whole and list(steps) == sorted(set(steps))):
        raise InvalidField(
            "convergence is measured at rising numbers of steps.",
            given=tuple(steps),
            allowed="whole numbers from 1, each larger than the one before",
            fix="steps=(5, 10, 20, 40)",
        )
