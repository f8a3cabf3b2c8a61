"""What a run's latents were on its way: as pictures, as numbers, as a path."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from math import sqrt

import torch
from jaxtyping import Float
from PIL.Image import Image
from torch import Tensor

from sdnb.errors import InvalidField
from sdnb.result import Decoder, Result
from sdnb.shapes import Latents
from sdnb.trace import spaced

REACH = 4.0
"""Standard deviations to both sides that a histogram covers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """What the model took for the clean picture in one step.

    Parameters
    ----------
    step : int
        The sampler's step, 0 … N - 1.
    sigma : float
        The level that it began at.
    """

    step: int
    sigma: float
    image: Image


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How latents are distributed, beside the unit Gaussian.

    Parameters
    ----------
    sigma : float
        Their level; they were scaled by ``1 / sqrt(1 + sigma**2)``.
    centres, density : tuple of float
        Of the bins; the density's integral is the share that lies within `REACH`.
    mean, std : float
        Of all scaled latents.
    """

    sigma: float
    centres: tuple[float, ...]
    density: tuple[float, ...]
    mean: float
    std: float


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """A run's path on two axes.

    Parameters
    ----------
    points : tuple of (float, float), [N + 1]
        One for each level in ``sigmas``.
    """

    name: str
    sigmas: tuple[float, ...]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """Several runs on the same two axes.

    Parameters
    ----------
    shares : (float, float)
        How much of the variance of all states each axis shows, 0 … 1.
    """

    trajectories: tuple[Trajectory, ...]
    shares: tuple[float, float]


def film(
    pipe: Decoder, result: Result, *, count: int | None = None, index: int = 0
) -> tuple[Frame, ...]:
    """Decode what the model took for the clean picture in each step.

    Parameters
    ----------
    pipe : Pipeline
        With the checkpoint of the run.
    count : int, optional
        How many steps, evenly spaced, the first and the last among them; all if not given.
    index : int
        Which image of the batch.

    Raises
    ------
    InvalidField
        Where the run kept no states, and for an image that it has not.
    """
    check_image(result, index)
    trace = result.trace
    chosen = spaced(trace.steps, trace.steps if count is None else count)
    images = pipe.decode(trace.denoised[chosen, index])
    return tuple(
        Frame(step=step, sigma=trace.sigmas[step], image=image)
        for step, image in zip(chosen, images, strict=True)
    )


def clean(result: Result, index: int = 0) -> Latents:
    """Return the clean latents [1, C, h, w] that an image of a result was decoded from.

    Raises `InvalidField` for an image that it has not.
    """
    _check_index(result, index)
    if not len(result.latents):
        result.trace.check_states()
    return result.latents[index : index + 1]


def state(result: Result, step: int, index: int = 0) -> tuple[Latents, float]:
    """Return an image's latents [1, C, h, w] after a number of steps, and their level.

    Raises `InvalidField` where the run kept no states, or has no such step or image.
    """
    check_image(result, index)
    trace = result.trace
    if not 0 <= step <= trace.steps:
        raise InvalidField(
            "the run has no such step.",
            given=step,
            allowed=f"0 … {trace.steps}",
            fix=f"ask for step {trace.steps}, the last, or 0, the start",
        )
    return trace.x[step, index : index + 1], trace.sigmas[step]


def histogram(x: Latents, sigma: float, *, bins: int = 40) -> Histogram:
    """Count latents, scaled as the network is shown them: pure noise is a unit Gaussian then."""
    scaled = x.float() / sqrt(1 + sigma**2)
    counts = torch.histc(scaled, bins, -REACH, REACH)
    width = 2 * REACH / bins
    return Histogram(
        sigma=sigma,
        centres=tuple(-REACH + (i + 0.5) * width for i in range(bins)),
        density=tuple((counts / scaled.numel() / width).tolist()),
        mean=float(scaled.mean()),
        std=float(scaled.std()),
    )


def project(results: Sequence[Result], names: Sequence[str] = (), *, index: int = 0) -> Projection:
    """Lay the paths of several runs on the two axes on which all their states differ most.

    The states are scaled by ``1 / sqrt(1 + sigma**2)``, so that all levels have one size; the
    axes are the first two principal components of them (Pearson 1901).

    Parameters
    ----------
    results : sequence of Result
        With latents of one size.
    names : sequence of str, optional
        One for each run; the samplers' if not given. Equal ones are numbered: ``"euler (2)"``.

    Raises
    ------
    InvalidField
        Where a run kept no states, for an image that one has not, for no run, for runs of
        several sizes, and for more or fewer names than runs.
    """
    _check_alike(results)
    if len(names) not in (0, len(results)):
        raise InvalidField(
            "each run has its name.",
            given=f"{len(names)} names for {len(results)} runs",
            allowed="one name for each run, or none",
            fix="leave names out: the runs are called by their samplers then",
        )
    for result in results:
        check_image(result, index)
    states = [_scaled(result, index) for result in results]
    points, shares = _principal(torch.cat(states))
    pieces = points.split([len(each) for each in states])
    called = _distinct(names or [str(result.request.sampler) for result in results])
    trajectories = [
        Trajectory(name=name, sigmas=result.trace.sigmas, points=tuple(map(_pair, piece.tolist())))
        for name, result, piece in zip(called, results, pieces, strict=True)
    ]
    return Projection(trajectories=tuple(trajectories), shares=shares)


def _check_alike(results: Sequence[Result]) -> None:
    if not results:
        raise InvalidField(
            "there is no run to draw.",
            given="no result",
            allowed="one result or more",
            fix="project([pipe.run(...), pipe.run(...)])",
        )
    sizes = sorted({tuple(result.latents.shape[1:]) for result in results})
    if len(sizes) > 1:
        raise InvalidField(
            "runs can be laid over each other when their latents are of one size.",
            given=" and ".join(" x ".join(map(str, size)) for size in sizes),
            allowed="latents of one size",
            fix="run them at the same width and height",
        )


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that were there before: ``euler``, ``euler (2)``."""
    found: list[str] = []
    for name in names:
        numbered = (f"{name} ({number})" for number in count(2))
        found.append(next(each for each in chain([name], numbered) if each not in found))
    return found


def _scaled(result: Result, index: int) -> Float[Tensor, "levels values"]:
    sigmas = torch.tensor(result.trace.sigmas, dtype=torch.float64)
    return result.trace.x[:, index].flatten(1).double() / (1 + sigmas**2).sqrt()[:, None]


def _principal(
    states: Float[Tensor, "levels values"],
) -> tuple[Float[Tensor, "levels 2"], tuple[float, float]]:
    """Return the states on their first two principal axes, and each axis' share of variance."""
    u, s, _ = torch.linalg.svd(states - states.mean(dim=0), full_matrices=False)
    shares = s.square() / s.square().sum().clamp(min=1e-30)
    return u[:, :2] * s[:2], (float(shares[0]), float(shares[1]))


def _pair(point: Sequence[float]) -> tuple[float, float]:
    return point[0], point[1]


def check_image(result: Result, index: int) -> None:
    """Raise `InvalidField` where a run kept no states, or has no such image."""
    result.trace.check_states()
    _check_index(result, index)


def _check_index(result: Result, index: int) -> None:
    if not 0 <= index < len(result.seeds):
        raise InvalidField(
            "this run has no such image.",
            given=index,
            allowed=f"0 … {len(result.seeds) - 1}",
            fix="ask for image 0, the first",
        )
