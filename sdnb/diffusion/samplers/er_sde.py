"""ER-SDE: a solver of the extended reverse-time SDE."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
from jaxtyping import Float

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import check_order
from sdnb.shapes import State

Levels = Float[np.ndarray, " N"]

POINTS = 200
"""Points of the sums that stand for the paper's integrals, as its published code takes them."""

NOISE_SCALES: dict[str, Callable[[Levels], Levels]] = {
    "exponential": lambda sigma: np.exp(sigma**0.3) + 10,
    "reciprocal": lambda sigma: np.exp(-1 / sigma) + 10,
    "logarithmic": lambda sigma: np.log10(1 + 100 * sigma**1.5) / sigma**0.1,
    "square": lambda sigma: sigma,
}
"""Name -> ``phi(sigma) / sigma``, with the noise scale function ``phi`` of arXiv:2309.06169."""


@sampler("er_sde", family="ER-SDE", order=1, nominal_order=3, history=2, stochastic=True)
def er_sde(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    max_stage: int = 3,
    noise_scale: str = "exponential",
) -> Proposals:
    """Stochastic multistep with Taylor terms of the clean estimate; one evaluation per step.

    The integrals are sums of 200 points, as the known implementations take them: with many steps
    their error, of first order, is what is left.

    Parameters
    ----------
    eta : float
        Share of the noise: 0 is deterministic. ``phi(sigma)`` becomes
        ``sigma * (phi(sigma) / sigma)**eta``.
    s_noise : float
        Factor on the noise added.
    max_stage : int
        Terms used, 1 … 3; the first steps have fewer.
    noise_scale : str
        The paper's ``phi(sigma)``, which says how much noise there is at each level.
        ``exponential``: ``sigma * (exp(sigma**0.3) + 10)``. ``reciprocal``:
        ``sigma * (exp(-1 / sigma) + 10)``. ``logarithmic``:
        ``sigma**0.9 * log10(1 + 100 * sigma**1.5)``. ``square``: ``sigma**2``, the reverse-time
        SDE; with one stage the steps of `ddpm`.

    Source: Cui et al. 2023 (arXiv:2309.06169), for the variance-exploding SDE.
    """
    check_order("max_stage", max_stage, 3)
    answers: list[State] = []  # answer, then its slope, of the last step
    levels: list[float] = []  # of the last two steps
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        kept, first, second = kept_share(sigma, sigma_next, noise_scale, eta)
        x_next = kept * x + (1 - kept) * denoised
        terms = [denoised]
        if answers and max_stage > 1:
            slope = (denoised - answers[0]) / (sigma - levels[0])
            x_next = x_next + (sigma_next - sigma + first) * slope
            terms.append(slope)
            if len(answers) > 1 and max_stage > 2:
                bend = (slope - answers[1]) / ((sigma - levels[1]) / 2)
                x_next = x_next + ((sigma_next - sigma) ** 2 / 2 + second) * bend
        spread = sqrt(max(sigma_next**2 - (kept * sigma) ** 2, 0.0))
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * spread)
        x = yield Step(denoised, x_next, sigma_next)
        answers, levels = terms, [sigma, *levels[:1]]


def kept_share(
    sigma: float, sigma_next: float, noise_scale: str, eta: float
) -> tuple[float, float, float]:
    """Share ``phi(sigma_next) / phi(sigma)`` of ``x`` that a step keeps, and its integrals.

    Returns
    -------
    (kept, first, second)
        The share; the integrals over the step of ``phi(sigma_next) / phi(u)``, and of that times
        ``u - sigma``.

    Source: Cui et al. 2023 (arXiv:2309.06169).
    """
    rise = NOISE_SCALES[noise_scale]
    points = np.linspace(sigma_next, sigma, POINTS + 1)
    shares = sigma_next / points * (rise(points[:1]) / rise(points)) ** eta
    parts = shares[:-1] * (sigma - sigma_next) / POINTS
    return float(shares[-1]), float(parts.sum()), float(parts @ (points[:-1] - sigma))
