"""TCD: below the next level to the clean side, then noise up to it again."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.errors import InvalidField
from sdnb.shapes import State


@sampler("tcd", family="Consistency", order=1, stochastic=True)
def tcd(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    noise_schedule: NoiseSchedule,
    eta: float = 0.3,
) -> Proposals:
    """Strategic stochastic sampling, for trajectory-consistency models; one evaluation a step.

    Of order 1 with an ``eta`` of 0. With more, each step jumps far below its level, which only
    a distilled model can follow: with another one the spread of the data is not reached.

    Parameters
    ----------
    eta : float
        The paper's gamma, 0 … 1: 0 goes straight to the next level (`euler`), 1 to the clean
        estimate and back (`lcm`).

    Source: Zheng et al. 2024 (arXiv:2402.19159), Algorithm 4 and eq. 22.
    """
    if not 0 <= eta <= 1:
        raise InvalidField("eta is a share of the way.", given=eta, allowed="0 … 1", fix="eta=0.3")
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        below = 0.0
        if eta < 1:
            below = noise_schedule.sigma((1 - eta) * noise_schedule.t(sigma_next))
        if eta == 0 or below > sigma_next:
            below = sigma_next
        x_next = denoised + (below / sigma) * (x - denoised)
        spread = sqrt(sigma_next**2 - below**2)
        x_next = renoise(x_next, noise, sigma, sigma_next, spread)
        x = yield Step(denoised, x_next, sigma_next)
