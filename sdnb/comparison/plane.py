"""Data in the plane: which way a denoiser points there, and how samplers walk through it.

What such data are is in `sdnb.diffusion.analytic`, where the denoiser that is right comes from;
any function of ``(x [B, 2], sigma)`` will do. How it is drawn is in `sdnb.plots.plane`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.choice import Choice
from sdnb.diffusion.forward import add_noise
from sdnb.diffusion.samplers.loop import walk
from sdnb.errors import InvalidField
from sdnb.shapes import State

PlaneDenoiser = Callable[[State, float], State]
"""``(x [B, 2], sigma)`` -> ``denoised`` [B, 2]."""

Points = Float[Tensor, "N 2"]


@dataclass(frozen=True, eq=False)
class Field:
    """Where a denoiser sends the points of a grid at one level.

    Parameters
    ----------
    ends : Tensor [N, 2]
        ``denoised`` of each of the ``points``; from the point to it is ``sigma**2`` times the
        score (Tweedie's formula).
    """

    sigma: float
    points: Points
    ends: Points


@dataclass(frozen=True, eq=False, kw_only=True)
class Walk:
    """The way of some points through the levels.

    Parameters
    ----------
    name : str
        The sampler, with its options.
    sigmas : tuple of float, [N + 1]
    states : Tensor [N + 1, B, 2]
    evaluations : int
        How often the denoiser was asked.
    """

    name: str
    sigmas: tuple[float, ...]
    states: Float[Tensor, "levels B 2"]
    evaluations: int


def score_field(
    denoiser: PlaneDenoiser, sigma: float, *, reach: float = 2.5, side: int = 13
) -> Field:
    """Ask a denoiser at the points of a square grid of ``side`` by ``side`` around 0."""
    along = torch.linspace(-reach, reach, side, dtype=torch.float64)
    points = torch.cartesian_prod(along, along)
    return Field(sigma, points, denoiser(points, sigma).detach())


def follow(
    denoiser: PlaneDenoiser,
    x: State,
    sigmas: Sequence[float] | Float[Tensor, " levels"],
    samplers: Sequence[str],
) -> tuple[Walk, ...]:
    """Let samplers walk from the same points over the same levels, each with its options.

    Parameters
    ----------
    x : Tensor [B, 2]
        Points at level ``sigmas[0]``.

    Raises
    ------
    InvalidField
        For points that do not lie in a plane, and as `sdnb.sample` does.
    """
    if x.ndim != 2 or x.shape[1] != 2:
        raise InvalidField(
            "points in a plane have two coordinates.",
            given=tuple(x.shape),
            allowed="[B, 2]",
            fix="two_moons().start(8, sigma=10.0)",
        )
    return tuple(_walk(denoiser, x, sigmas, Choice.parse(name)) for name in samplers)


def _walk(
    denoiser: PlaneDenoiser,
    x: Points,
    sigmas: Sequence[float] | Float[Tensor, " levels"],
    choice: Choice,
) -> Walk:
    asked = 0

    def counted(x: State, sigma: float) -> State:
        nonlocal asked
        asked += 1
        return denoiser(x, sigma)

    states, levels = [x], [float(sigmas[0])]
    options: dict[str, Any] = dict(choice.options)
    for step in walk(counted, x, sigmas, choice.name, **options):
        states.append(step.x_next.detach())
        levels.append(step.sigma_next)
    return Walk(
        name=str(choice), sigmas=tuple(levels), states=torch.stack(states), evaluations=asked
    )


def noise_errors(
    denoiser: PlaneDenoiser, data: Points, sigmas: Sequence[float], *, seed: int = 0
) -> Float[Tensor, " levels"]:
    """Measure how far the noise that a denoiser sees in noised data is from what was added.

    Mean squares per coordinate, at each level, with the same noise for all: 1 would be seeing
    nothing. Of the denoiser that is right it is the least there can be, over all data.
    """
    generator = torch.Generator().manual_seed(seed)
    eps = torch.randn(data.shape, dtype=data.dtype, generator=generator)
    errors = []
    for sigma in sigmas:
        x = add_noise(data, eps, sigma)
        errors.append(((x - denoiser(x, sigma)) / sigma - eps).square().mean())
    return torch.stack(errors).cpu()
