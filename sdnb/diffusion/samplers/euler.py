"""Euler: straight along the slope."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("euler", family="Euler", order=1)
def euler(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """First-order steps of the probability-flow ODE; one evaluation per step.

    Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 1 without its correction.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        slope = (x - denoised) / sigma
        x = yield Step(denoised, x + slope * (sigma_next - sigma), sigma_next)
