"""Euler with CFG++: to the guided estimate, then out again along the unguided noise."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import EvaluateBoth, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("euler_cfg_pp", family="CFG++", order=1, asks_both=True)
def euler_cfg_pp(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """First-order steps on the manifold of the unguided model; one evaluation per step.

    Made for small guidance: the paper's lambda, 0 … 1, is ``cfg_scale``.

    Source: Chung et al. 2024 (arXiv:2406.08070), Algorithm 2.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised, denoised_uncond = yield EvaluateBoth(x, sigma)
        eps = (x - denoised_uncond) / sigma
        x = yield Step(denoised, denoised + sigma_next * eps, sigma_next)
