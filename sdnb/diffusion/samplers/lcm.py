"""LCM: straight to the clean estimate, then noise it again."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("lcm", family="Consistency", order=0, stochastic=True)
def lcm(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Multistep consistency sampling, for models distilled to it; one evaluation per step.

    Each step forgets ``x`` and keeps only the estimate, so with a usual denoiser it does not
    converge to the data: order 0.

    Source: Luo et al. 2023 (arXiv:2310.04378), Algorithm 3; Song et al. 2023
    (arXiv:2303.01469), Algorithm 1.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        x_next = renoise(denoised, noise, sigma, sigma_next, sigma_next)
        x = yield Step(denoised, x_next, sigma_next)
