"""DPM++ 2S ancestral with CFG++: midpoint steps whose noise is the unguided one."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import EvaluateBoth, Proposals, Step, sampler
from sdnb.shapes import State


@sampler(
    "dpmpp_2s_ancestral_cfg_pp",
    family="CFG++",
    order=0,
    nominal_order=2,
    stochastic=True,
    asks_both=True,
)
def dpmpp_2s_ancestral_cfg_pp(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    uncond: str = "midpoint",
) -> Proposals:
    """As `dpmpp_2s_ancestral` from a shifted start; two evaluations per step, one in the last.

    Shifting ``x`` by ``denoised - denoised_uncond`` makes the noise in it the unguided one,
    which is all that CFG++ changes. The known implementation, whose numbers are the default,
    shifts the whole step by the unguided answer of the midpoint instead of the start: the shift
    then differs even without guidance, and the method does not converge (order 0).

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise.
    s_noise : float
        Factor on the noise put back.
    uncond : str
        Whose unguided answer shifts the step: ``midpoint``, or ``start`` (of order 2).

    Source: Chung et al. 2024 (arXiv:2406.08070), Algorithm 2, for Lu et al. 2022
    (arXiv:2211.01095), Algorithm 1.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised, denoised_uncond = yield EvaluateBoth(x, sigma)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        target, shift = denoised, denoised - denoised_uncond
        if sigma_down > 0:
            middle = sqrt(sigma * sigma_down)
            x_middle = denoised + (middle / sigma) * (x - denoised_uncond)
            target, middle_uncond = yield EvaluateBoth(x_middle, middle)
            if uncond == "midpoint":
                shift = denoised - middle_uncond
        x_next = target + (sigma_down / sigma) * (x + shift - target)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
