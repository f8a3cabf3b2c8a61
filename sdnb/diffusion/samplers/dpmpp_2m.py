"""DPM++ 2M: an exponential integrator that remembers one estimate."""

from collections.abc import Sequence
from itertools import pairwise
from math import log

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpmpp_2m", family="DPM-Solver++", history=1, order=2)
def dpmpp_2m(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Second-order multistep in the clean estimate; one evaluation per step.

    The first step and the last (to 0) are of first order: a step to 0 returns ``denoised``.

    Source: Lu et al. 2022 (arXiv:2211.01095), Algorithm 2, with ``lambda = -log sigma``.
    """
    previous, h_last = None, 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        h = log(sigma / sigma_next)
        estimate = denoised
        if previous is not None:
            estimate = denoised + (denoised - previous) * (h / (2 * h_last))
        ratio = sigma_next / sigma
        x = yield Step(denoised, ratio * x + (1 - ratio) * estimate, sigma_next)
        previous, h_last = denoised, h
