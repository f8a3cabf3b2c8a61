"""RES multistep with CFG++: the refined solver along the unguided noise."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import EvaluateBoth, Proposals, Step, sampler
from sdnb.diffusion.samplers.res_multistep import memory_weight
from sdnb.shapes import State


@sampler("res_multistep_cfg_pp", family="CFG++", order=2, history=1, asks_both=True)
def res_multistep_cfg_pp(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Second-order exponential multistep; one evaluation per step.

    Source: Zhang et al. 2023 (arXiv:2308.02157), section 4, with the step of Chung et al. 2024
    (arXiv:2406.08070), Algorithm 2.
    """
    return _refined(x, sigmas, noise, eta=0.0, s_noise=1.0)


@sampler(
    "res_multistep_ancestral_cfg_pp",
    family="CFG++",
    order=2,
    history=1,
    stochastic=True,
    asks_both=True,
)
def res_multistep_ancestral_cfg_pp(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """`res_multistep_cfg_pp` with fresh noise in every step; one evaluation per step.

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise.
    s_noise : float
        Factor on the noise put back.

    Source: Zhang et al. 2023 (arXiv:2308.02157), section 4, as `res_multistep_cfg_pp`, with the
    noise of `euler_ancestral`.
    """
    return _refined(x, sigmas, noise, eta=eta, s_noise=s_noise)


def _refined(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float, s_noise: float
) -> Proposals:
    previous_uncond, sigma_last, down_last = None, 0.0, 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised, denoised_uncond = yield EvaluateBoth(x, sigma)
        down, up = ancestral_split(sigma, sigma_next, eta)
        ratio = down / sigma
        if previous_uncond is None or down == 0 or down_last == 0:
            x_next = denoised + ratio * (x - denoised_uncond)
        else:
            weight = memory_weight(sigma, down, sigma_last, down_last)
            x_next = ratio * (x + denoised - denoised_uncond) + (1 - ratio) * denoised_uncond
            x_next = x_next + weight * (previous_uncond - denoised_uncond)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * up)
        x = yield Step(denoised, x_next, sigma_next)
        previous_uncond, sigma_last, down_last = denoised_uncond, sigma, down
