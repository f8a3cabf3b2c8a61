"""Heun: Euler, looked at again from where it lands."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("heun", family="Runge-Kutta", order=2)
def heun(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Second-order predictor-corrector; two evaluations per step, one in the last.

    Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 1.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        slope = (x - denoised) / sigma
        x_next = x + slope * (sigma_next - sigma)
        if sigma_next > 0:
            end = yield Evaluate(x_next, sigma_next)
            slope = (slope + (x_next - end) / sigma_next) / 2
            x_next = x + slope * (sigma_next - sigma)
        x = yield Step(denoised, x_next, sigma_next)
