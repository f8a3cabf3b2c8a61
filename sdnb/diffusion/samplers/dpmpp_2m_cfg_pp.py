"""DPM++ 2M with CFG++: out again along the unguided noise, corrected by one memory."""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, expm1, log

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import EvaluateBoth, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpmpp_2m_cfg_pp", family="CFG++", order=2, history=1, asks_both=True)
def dpmpp_2m_cfg_pp(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Second-order multistep; one evaluation per step.

    The step of `euler_cfg_pp` plus a slope in ``log sigma``: the guided estimate minus the last
    unguided one, as the known implementation has it.

    Source: Chung et al. 2024 (arXiv:2406.08070), section 3, for Lu et al. 2022
    (arXiv:2211.01095), Algorithm 2.
    """
    previous_uncond, h_last = None, 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised, denoised_uncond = yield EvaluateBoth(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        h = log(sigma / sigma_next)
        move = exp(-h) * denoised_uncond
        if previous_uncond is not None:
            move = move + expm1(-h) * h / (2 * h_last) * (denoised - previous_uncond)
        x = yield Step(denoised, denoised - move + exp(-h) * x, sigma_next)
        previous_uncond, h_last = denoised_uncond, h
