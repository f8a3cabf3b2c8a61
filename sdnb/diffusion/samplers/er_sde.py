"""ER-SDE: a solver of the extended reverse-time SDE."""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import check_order
from sdnb.shapes import State

POINTS = 200
"""Points of the sums that stand for the paper's integrals, as its published code takes them."""


@sampler("er_sde", family="ER-SDE", order=None, nominal_order=3, history=2, stochastic=True)
def er_sde(
    x: State, sigmas: Sequence[float], noise: Noise, *, s_noise: float = 1.0, max_stage: int = 3
) -> Proposals:
    """Stochastic multistep with Taylor terms of the clean estimate; one evaluation per step.

    Parameters
    ----------
    s_noise : float
        Factor on the noise added.
    max_stage : int
        Terms used, 1 … 3; the first steps have fewer.

    Source: Cui et al. 2023 (arXiv:2309.06169), Algorithm 3 (VE, the paper's ``phi_4``).
    """
    check_order("max_stage", max_stage, 3)
    answers: list[State] = []  # answer, then its slope, of the last step
    levels: list[float] = []  # of the last two steps
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        r = scale(sigma_next) / scale(sigma)
        x_next = r * x + (1 - r) * denoised
        terms = [denoised]
        if answers and max_stage > 1:
            first, second = integrals(sigma, sigma_next)
            slope = (denoised - answers[0]) / (sigma - levels[0])
            x_next = x_next + (sigma_next - sigma + first * scale(sigma_next)) * slope
            terms.append(slope)
            if len(answers) > 1 and max_stage > 2:
                bend = (slope - answers[1]) / ((sigma - levels[1]) / 2)
                weight = (sigma_next - sigma) ** 2 / 2 + second * scale(sigma_next)
                x_next = x_next + weight * bend
        spread = sqrt(max(sigma_next**2 - (r * sigma) ** 2, 0.0))
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * spread)
        x = yield Step(denoised, x_next, sigma_next)
        answers, levels = terms, [sigma, *levels[:1]]


def scale(sigma: float) -> float:
    """The noise scale function ``phi``. Source: Cui et al. 2023 (arXiv:2309.06169), eq. 20."""
    return sigma * (exp(sigma**0.3) + 10)


def integrals(sigma: float, sigma_next: float) -> tuple[float, float]:
    """Sums for the integrals of ``1 / phi(u)`` and ``(u - sigma) / phi(u)`` over the step.

    Source: Cui et al. 2023 (arXiv:2309.06169), Algorithm 3.
    """
    width = (sigma - sigma_next) / POINTS
    points = [sigma_next + i * width for i in range(POINTS)]
    shares = [width / scale(point) for point in points]
    second = sum(share * (point - sigma) for share, point in zip(shares, points, strict=True))
    return sum(shares), second
