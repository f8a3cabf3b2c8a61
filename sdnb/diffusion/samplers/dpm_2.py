"""DPM2: the slope of the midpoint, in log sigma."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpm_2", family="DPM-Solver", order=2, discard_penultimate=True)
def dpm_2(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Second-order midpoint steps; two evaluations per step, one in the last.

    The midpoint lies halfway in ``log sigma``, at the geometric mean of the two levels.

    Source: Lu et al. 2022 (arXiv:2206.00927), Algorithm 1 (DPM-Solver-2), with the slope in
    sigma of Karras et al. 2022 (arXiv:2206.00364).
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        slope = (x - denoised) / sigma
        if sigma_next > 0:
            middle = sqrt(sigma * sigma_next)
            x_middle = x + slope * (middle - sigma)
            slope = (x_middle - (yield Evaluate(x_middle, middle))) / middle
        x = yield Step(denoised, x + slope * (sigma_next - sigma), sigma_next)
