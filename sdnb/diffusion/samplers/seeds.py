"""SEEDS: exponential solvers of the diffusion SDE with one or two points inside a step."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp, expm1, log, sqrt

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.errors import InvalidField
from sdnb.shapes import State


@sampler("seeds_2", family="SEEDS", order=2, stochastic=True, brownian=True)
def seeds_2(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 0.5,
) -> Proposals:
    """Stochastic single steps; two evaluations per step, one in the last.

    Parameters
    ----------
    eta : float
        Share of the SDE's noise: 0 is deterministic.
    s_noise : float
        Factor on the noise added.
    r : float
        Where the midpoint lies, a share of the step in ``log sigma``.

    Source: Gonzalez et al. 2023 (arXiv:2305.14267), SEEDS-2 in the clean estimate.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        levels = inner_levels(sigma, sigma_next, (r,))
        draws = joined_draws(levels, noise, eta)
        rate = log(sigma / sigma_next) * (1 + eta)
        x_1 = denoised + exp(-r * rate) * (x - denoised) + next(draws) * (s_noise * levels[1])
        denoised_1 = yield Evaluate(x_1, levels[1])
        target = denoised + (denoised_1 - denoised) / (2 * r)
        x_next = target + exp(-rate) * (x - target) + next(draws) * (s_noise * sigma_next)
        x = yield Step(denoised, x_next, sigma_next)


@sampler("seeds_3", family="SEEDS", order=3, stochastic=True, brownian=True)
def seeds_3(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r_1: float = 1 / 3,
    r_2: float = 2 / 3,
) -> Proposals:
    """Stochastic single steps; three evaluations per step, one in the last.

    Parameters
    ----------
    eta : float
        Share of the SDE's noise: 0 is deterministic.
    s_noise : float
        Factor on the noise added.
    r_1, r_2 : float
        Where the inner points lie, shares of the step in ``log sigma``, the first one before.

    Source: Gonzalez et al. 2023 (arXiv:2305.14267), SEEDS-3 in the clean estimate.
    """
    if r_1 >= r_2:
        raise InvalidField(
            "the inner points of seeds_3 follow each other.",
            given=f"r_1={r_1}, r_2={r_2}",
            allowed="r_1 under r_2",
            fix="r_1=0.333 r_2=0.667",
        )
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        levels = inner_levels(sigma, sigma_next, (r_1, r_2))
        draws = joined_draws(levels, noise, eta)
        rate = log(sigma / sigma_next) * (1 + eta)
        x_1 = denoised + exp(-r_1 * rate) * (x - denoised) + next(draws) * (s_noise * levels[1])
        slope = ((yield Evaluate(x_1, levels[1])) - denoised) / r_1
        x_2 = denoised + exp(-r_2 * rate) * (x - denoised) + next(draws) * (s_noise * levels[2])
        x_2 = x_2 + r_2 * _bend(r_2 * rate) * slope
        slope = ((yield Evaluate(x_2, levels[2])) - denoised) / r_2
        x_next = denoised + exp(-rate) * (x - denoised) + next(draws) * (s_noise * sigma_next)
        x = yield Step(denoised, x_next + _bend(rate) * slope, sigma_next)


def _bend(rate: float) -> float:
    # the paper's weight of the first derivative: rate * phi_2(-rate)
    return expm1(-rate) / rate + 1


def inner_levels(sigma: float, sigma_next: float, shares: Sequence[float]) -> list[float]:
    """Levels of a step: its start, the points inside by their share of ``log sigma``, its end."""
    return [sigma, *(sigma * (sigma_next / sigma) ** share for share in shares), sigma_next]


def joined_draws(levels: Sequence[float], noise: Noise, eta: float) -> Iterator[State | float]:
    """Noise gathered from the start of a step to each later level, for unit ``sigma`` there.

    Each stretch decays what was gathered and adds its own draw, so the noise at a later point
    contains that at the earlier ones. Nothing is drawn for an ``eta`` of 0.

    Source: Gonzalez et al. 2023 (arXiv:2305.14267).
    """
    gathered: State | float = 0.0
    for sigma, sigma_next in pairwise(levels):
        if eta > 0:
            h = eta * log(sigma / sigma_next)
            gathered = exp(-h) * gathered + sqrt(-expm1(-2 * h)) * noise(sigma, sigma_next)
        yield gathered
