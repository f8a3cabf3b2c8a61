"""DDPM: the mean of the posterior, and its noise."""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("ddpm", family="DDPM", order=1, stochastic=True)
def ddpm(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Ancestral sampling as first published; one evaluation per step.

    On the variance-exploding scale the posterior of a step is a mixture of ``x`` and
    ``denoised`` by their variances: the same numbers as `euler_ancestral`.

    Source: Ho et al. 2020 (arXiv:2006.11239), eq. 6, 7 and Algorithm 2.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        kept = (sigma_next / sigma) ** 2
        x_next = kept * x + (1 - kept) * denoised
        x_next = renoise(x_next, noise, sigma, sigma_next, sigma_next * sqrt(1 - kept))
        x = yield Step(denoised, x_next, sigma_next)
