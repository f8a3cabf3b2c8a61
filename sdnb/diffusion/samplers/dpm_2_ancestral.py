"""DPM2 ancestral: a midpoint step too far down, then fresh noise up again."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpm_2_ancestral", family="DPM-Solver", order=2, stochastic=True, discard_penultimate=True)
def dpm_2_ancestral(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """Second-order midpoint steps with fresh noise; two evaluations per step, one in the last.

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise: 0 is DPM2.
    s_noise : float
        Factor on the noise put back.

    Source: Lu et al. 2022 (arXiv:2206.00927), Algorithm 1, with the noise of `euler_ancestral`.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        slope = (x - denoised) / sigma
        if sigma_down > 0:
            middle = sqrt(sigma * sigma_down)
            x_middle = x + slope * (middle - sigma)
            slope = (x_middle - (yield Evaluate(x_middle, middle))) / middle
        x_next = x + slope * (sigma_down - sigma)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
