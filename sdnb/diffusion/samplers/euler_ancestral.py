"""Euler ancestral: an Euler step too far down, then fresh noise up again."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("euler_ancestral", family="Euler", order=1, stochastic=True)
def euler_ancestral(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """First-order steps with fresh noise; one evaluation per step.

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise: 0 is Euler, 1 the ancestral sampler.
    s_noise : float
        Factor on the noise put back.

    Source: Ho et al. 2020 (arXiv:2006.11239), Algorithm 2, on the variance-exploding scale.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        x_next = x + (x - denoised) / sigma * (sigma_down - sigma)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
