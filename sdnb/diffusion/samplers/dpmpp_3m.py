"""DPM++ 3M: an exponential multistep method of true third order, with or without noise."""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import exponential_weights
from sdnb.diffusion.samplers.seeds import inner_levels, joined_draws
from sdnb.shapes import State


@sampler("dpmpp_3m", family="DPM-Solver++", order=3, history=2, brownian=True)
def dpmpp_3m(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 0.0, s_noise: float = 1.0
) -> Proposals:
    """Third-order multistep in the clean estimate; one evaluation per step, two in the first two.

    The first two steps are single midpoint steps of second order, so that their error does not
    spoil the order of the rest. A step to 0 returns ``denoised``. With noise it is what
    `dpmpp_3m_sde` is meant to be.

    Parameters
    ----------
    eta : float
        Share of the SDE's noise: 0 is deterministic.
    s_noise : float
        Factor on the noise added.

    Source: Lu et al. 2022 (arXiv:2211.01095), section 4 and eq. 9 with polynomials through three
    answers; started by its Algorithm 1. The noise is that of its SDE-DPM-Solver++, for general
    ``eta``.
    """
    lambdas: list[float] = []
    answers: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        lambdas, answers = [-log(sigma), *lambdas[:2]], [denoised, *answers[:2]]
        kept = (sigma_next / sigma) ** (1 + eta)
        levels = inner_levels(sigma, sigma_next, (1 / 2,) if len(answers) < 3 else ())
        draws = joined_draws(levels, noise, eta)
        if len(answers) < 3:
            x_middle = denoised + sqrt(kept) * (x - denoised) + next(draws) * (s_noise * levels[1])
            terms = [(1 - kept, (yield Evaluate(x_middle, levels[1])))]
        else:
            weights = exponential_weights(lambdas, lambdas[0], -log(sigma_next), sqrt(eta))
            terms = list(zip(weights, answers, strict=True))
        x_next = kept * x + next(draws) * (s_noise * sigma_next)
        for weight, answer in terms:
            x_next = x_next + weight * answer
        x = yield Step(denoised, x_next, sigma_next)
