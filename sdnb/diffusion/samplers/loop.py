"""The sampling loop: `drive`, the only code that runs a sampler.

Who answers the questions is the caller's affair: `sample` asks a plain function, a run of a
pipeline (`sdnb.run`) asks the network and lets hooks see and change everything on the way.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, TypeVar

import torch
from torch import Tensor

from sdnb.diffusion.noise import Noise, batch_seeds, step_noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step
from sdnb.registry import SAMPLERS
from sdnb.shapes import State

Shown = TypeVar("Shown")
Sent = TypeVar("Sent")


def drive(
    proposals: Proposals,
    answer: Callable[[Evaluate], Generator[Shown, Sent, Tensor]],
    accept: Callable[[Step], Generator[Shown, Sent, Tensor]],
) -> Generator[Shown, Sent, Tensor | None]:
    """Drive one sampler to its end; what ``answer`` and ``accept`` yield passes through.

    Parameters
    ----------
    proposals : generator
        A started sampler.
    answer : generator function
        Question -> returns ``denoised``.
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
                reply = x = yield from accept(said)
            else:
                reply = yield from answer(said)
            try:
                said = proposals.send(reply)
            except StopIteration:
                said = None
    return x


def sample(
    denoiser: Callable[[State, float], State],
    x: State,
    sigmas: Sequence[float] | Tensor,
    sampler: str = "euler",
    noise: Noise | None = None,
    **options: Any,
) -> State:
    """Sample with any denoiser, without a pipeline: a toy in 2-D, an analytic solution.

    Parameters
    ----------
    denoiser : callable
        ``(x, sigma)`` -> ``denoised``, of x's shape.
    x : Tensor [B, ...]
        The start, at level ``sigmas[0]``; its dtype is kept.
    sigmas : sequence of float, [S + 1]
        Falling levels, usually to 0 (see `sdnb.sigmas`).
    sampler : str
        A registered name; ``options`` are its keyword options.
    noise : callable, optional
        ``(sigma, sigma_next)`` -> a unit draw of x's shape; seeded with 0 if not given.

    Returns
    -------
    Tensor [B, ...]
        The state at ``sigmas[-1]``.
    """
    levels = sigmas.tolist() if isinstance(sigmas, torch.Tensor) else [float(s) for s in sigmas]
    draw = noise or step_noise(batch_seeds(0, len(x)), x)

    def answer(question: Evaluate) -> Generator[None, None, Tensor]:
        yield from ()
        return denoiser(question.x, question.sigma)

    def accept(step: Step) -> Generator[None, None, Tensor]:
        yield from ()
        return step.x_next

    run = drive(SAMPLERS[sampler](x, levels, draw, **options), answer, accept)
    try:
        while True:
            next(run)
    except StopIteration as end:
        return x if end.value is None else end.value
