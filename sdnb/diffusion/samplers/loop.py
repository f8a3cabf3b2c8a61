"""The sampling loop: `drive`, the only code that runs a sampler.

Who answers the questions is the caller's affair: `sample` and `walk` ask a plain function, a run
of a pipeline (`sdnb.run`) asks the network and lets hooks see and change everything on the way.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from math import inf
from typing import Any, TypeVar

import torch
from torch import Tensor

from sdnb.diffusion.noise import Noise, batch_seeds, brownian_noise, step_noise
from sdnb.diffusion.noise_schedules import NoiseSchedule, scaled_linear
from sdnb.diffusion.samplers.contract import Evaluate, EvaluateBoth, Proposals, Sampler, Step
from sdnb.errors import InvalidField
from sdnb.registry import SAMPLERS
from sdnb.shapes import State

Question = Evaluate | EvaluateBoth
Answer = Tensor | tuple[Tensor, Tensor]

Shown = TypeVar("Shown")
Sent = TypeVar("Sent")


def drive(
    proposals: Proposals,
    answer: Callable[[Question], Generator[Shown, Sent, Answer]],
    accept: Callable[[Step], Generator[Shown, Sent, Tensor]],
) -> Generator[Shown, Sent, Tensor | None]:
    """Drive one sampler to its end; what ``answer`` and ``accept`` yield passes through.

    Parameters
    ----------
    proposals : generator
        A started sampler.
    answer : generator function
        Question -> returns ``denoised``; of an `EvaluateBoth`, ``(denoised, denoised_uncond)``.
    accept : generator function
        Proposed step -> returns the ``x`` to go on from.

    Returns
    -------
    Tensor or None
        The last accepted ``x``; None if the sampler proposed no step.
    """
    x = None
    with closing(proposals):
        said = next(proposals, None)
        while said is not None:
            if isinstance(said, Step):
                x = yield from accept(said)
                reply: Answer = x
            else:
                reply = yield from answer(said)
            try:
                said = proposals.send(reply)
            except StopIteration:
                said = None
    return x


def sample(
    denoiser: Callable[[State, float], Answer],
    x: State,
    sigmas: Sequence[float] | Tensor,
    sampler: str = "euler",
    noise: Noise | None = None,
    *,
    noise_schedule: NoiseSchedule | None = None,
    **options: Any,
) -> State:
    """Sample with any denoiser, without a pipeline: a toy in 2-D, an analytic solution.

    Parameters
    ----------
    denoiser : callable
        ``(x, sigma)`` -> ``denoised``, of x's shape; or the pair ``(denoised,
        denoised_uncond)``, which CFG++ samplers need.
    x : Tensor [B, ...]
        The start, at level ``sigmas[0]``; its dtype is kept.
    sigmas : sequence of float, [S + 1]
        Falling levels, usually to 0 (see `sdnb.sigmas`).
    sampler : str
        A registered name; ``options`` are its keyword options.
    noise : callable, optional
        ``(sigma, sigma_next)`` -> a unit draw of x's shape; seeded with 0 if not given.
    noise_schedule : NoiseSchedule, optional
        Of training, for the samplers that step in its timesteps; Stable Diffusion's if not given.

    Returns
    -------
    Tensor [B, ...]
        The state at the last level: ``sigmas[-1]``, save for samplers that stop before it.

    Raises
    ------
    InvalidField
        For levels that do not fall, answers of another shape, and where a CFG++ sampler is not
        given the pair it asks for.
    """
    end = x
    for step in walk(denoiser, x, sigmas, sampler, noise, noise_schedule=noise_schedule, **options):
        end = step.x_next
    return end


def walk(
    denoiser: Callable[[State, float], Answer],
    x: State,
    sigmas: Sequence[float] | Tensor,
    sampler: str = "euler",
    noise: Noise | None = None,
    *,
    noise_schedule: NoiseSchedule | None = None,
    **options: Any,
) -> Iterator[Step]:
    """Sample as `sample` does, step by step: yields each step that was taken."""
    levels = sigmas.tolist() if isinstance(sigmas, torch.Tensor) else [float(s) for s in sigmas]
    _check_levels(levels)
    entry = SAMPLERS[sampler]
    draw = noise or noise_of(entry, batch_seeds(0, len(x)), x)

    def answer(question: Question) -> Generator[Step, None, Answer]:
        yield from ()
        return answer_of(question, denoiser(question.x, question.sigma))

    def accept(step: Step) -> Generator[Step, None, Tensor]:
        yield step
        return step.x_next

    clock = noise_schedule or scaled_linear()
    return drive(SAMPLERS.bind(sampler, options)(x, levels, draw, clock), answer, accept)


def noise_of(entry: Sampler, seeds: Sequence[int], like: State, *, begin: int = 0) -> Noise:
    """Make the in-loop noise that a sampler is given: fresh draws, or parts of Brownian paths.

    ``begin`` is the step of the run at which the sampler begins.
    """
    if entry.brownian:
        return brownian_noise(seeds, like)
    return step_noise(seeds, like, begin=begin)


def answer_of(question: Question, answer: Answer) -> Answer:
    """Bring a plain function's answer into the form that was asked for, and to x's dtype."""
    parts = answer if isinstance(answer, tuple) else (answer,)
    if any(part.shape != question.x.shape for part in parts):
        raise InvalidField(
            "a denoiser answers with what has x's shape.",
            given=[tuple(part.shape) for part in parts],
            allowed=f"{tuple(question.x.shape)}",
            fix="return one estimate for each item of x",
        )
    first, *rest = (part.to(question.x) for part in parts)
    if isinstance(question, Evaluate):
        return first
    if rest:
        return first, rest[0]
    raise InvalidField(
        "a CFG++ sampler needs the answer without a prompt too.",
        given="one tensor",
        allowed="the pair (denoised, denoised_uncond)",
        fix="return (denoised, denoised) where there is no guidance",
    )


def _check_levels(levels: Sequence[float]) -> None:
    falls = all(high > low for high, low in pairwise(levels))
    if len(levels) < 2 or not falls or not all(0 <= level < inf for level in levels):
        raise InvalidField(
            "sigmas are levels that fall, usually to 0.",
            given=list(levels[:5]),
            allowed="two or more finite numbers from 0, each under the one before",
            fix="sdnb.sigmas('karras', 20)",
        )
