"""DPM++ 2S ancestral: a midpoint step in the clean estimate, then fresh noise."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpmpp_2s_ancestral", family="DPM-Solver++", order=2, stochastic=True)
def dpmpp_2s_ancestral(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """Second-order single steps with fresh noise; two evaluations per step, one in the last.

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise: 0 is DPM-Solver++(2S).
    s_noise : float
        Factor on the noise put back.

    Source: Lu et al. 2022 (arXiv:2211.01095), Algorithm 1 with ``r = 1/2``, with the noise of
    `euler_ancestral`.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        target = denoised
        if sigma_down > 0:
            middle = sqrt(sigma * sigma_down)
            target = yield Evaluate(denoised + (middle / sigma) * (x - denoised), middle)
        x_next = target + (sigma_down / sigma) * (x - target)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
