"""DEIS: the noise as a polynomial in time, integrated exactly."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import log1p, sqrt

import numpy as np
from jaxtyping import Float

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import adams_weights, check_order, weights_of
from sdnb.shapes import State

SIGMA_RANGE = (0.002, 80.0)
"""The levels between which the clock runs from 0.001 to 1: those of EDM (arXiv:2206.00364)."""

PLACES = np.linspace(0, 1, 10_000)
"""Points of an integral over a step, as shares of it."""

POWERS = np.stack([PLACES**k for k in range(4)])
"""Their powers 0 … 3, [4, 10000]."""


@sampler("deis", family="DEIS", order=2, nominal_order=3, history=2)
def deis(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    max_order: int = 3,
    deis_mode: str = "tab",
) -> Proposals:
    """Exponential integrator that extrapolates the noise; one evaluation per step.

    A step to 0 returns ``denoised``.

    Parameters
    ----------
    max_order : int
        Answers used, the present one included, 1 … 4.
    deis_mode : str
        What the extrapolating polynomial is in. ``tab``: the time of a variance-preserving
        process with linear betas, whatever the model's own (tAB-DEIS). ``rhoab``: the rescaled
        time in which the slope is the noise itself (rho-AB-DEIS); that is sigma here, so the
        steps are those of `lms` with this order.

    Source: Zhang and Chen 2022 (arXiv:2204.13902).
    """
    step_weights = time_weights if deis_mode == "tab" else level_weights
    check_order("max_order", max_order, 4)
    levels: list[float] = []
    slopes: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        levels = [sigma, *levels[: max_order - 1]]
        slopes = [(x - denoised) / sigma, *slopes[: max_order - 1]]
        x_next = denoised
        if sigma_next > 0:
            x_next = x
            weights = step_weights(tuple(levels), sigma_next)
            for weight, slope in zip(weights, slopes, strict=True):
                x_next = x_next + weight * slope
        x = yield Step(denoised, x_next, sigma_next)


def level_weights(levels: Sequence[float], sigma_next: float) -> list[float]:
    """Integrals over the step of the Lagrange polynomials in sigma through ``levels``."""
    return adams_weights(levels, levels[0], sigma_next)


@lru_cache(maxsize=1000)  # a run; the next one with the same levels finds them here
def time_weights(levels: tuple[float, ...], sigma_next: float) -> list[float]:
    """Integrals over the step of the Lagrange polynomials in time through ``levels``.

    The step goes from ``levels[0]`` to ``sigma_next``. The integrals are means over 10,000
    points, as the paper's published code takes them; that is right to about 1e-5.

    Source: Zhang and Chen 2022 (arXiv:2204.13902).
    """
    if len(levels) == 1:
        return [sigma_next - levels[0]]
    begin, end = clock(levels[0]), clock(sigma_next)
    length = end - begin
    speeds = length * level_speed(begin + length * PLACES)
    moments = (POWERS[: len(levels)] @ speeds / len(PLACES)).tolist()
    return weights_of([(clock(level) - begin) / length for level in levels], moments)


def _betas() -> tuple[float, float]:
    # beta(t) = low + slope * t such that the clock meets SIGMA_RANGE at 0.001 and 1
    first, last = (log1p(sigma**2) for sigma in SIGMA_RANGE)
    slope = 2 * (first / 0.001 - last) / (0.001 - 1)
    return last - slope / 2, slope


def clock(sigma: float) -> float:
    """Time at which the process reaches a level. Source: Song et al. 2021 (arXiv:2011.13456), C."""
    low, slope = _betas()
    return (sqrt(low**2 + 2 * slope * log1p(sigma**2)) - low) / slope


def level_speed(times: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Growth of the level, d sigma / d t, at some times."""
    low, slope = _betas()
    grown = np.expm1(low * times + slope * times**2 / 2)
    speeds: np.ndarray = (1 + grown) * (low + slope * times) / (2 * np.sqrt(grown))
    return speeds
