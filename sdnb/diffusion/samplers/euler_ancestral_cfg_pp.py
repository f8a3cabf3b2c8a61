"""Euler ancestral with CFG++: as `euler_cfg_pp`, with fresh noise in every step."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import EvaluateBoth, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("euler_ancestral_cfg_pp", family="CFG++", order=1, stochastic=True, asks_both=True)
def euler_ancestral_cfg_pp(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """First-order steps along the unguided noise, with fresh noise; one evaluation per step.

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise: 0 is `euler_cfg_pp`.
    s_noise : float
        Factor on the noise put back.

    Source: Chung et al. 2024 (arXiv:2406.08070), Algorithm 2, with the noise of
    `euler_ancestral`.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised, denoised_uncond = yield EvaluateBoth(x, sigma)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        x_next = denoised + (x - denoised_uncond) * (sigma_down / sigma)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
