"""Euler: straight along the slope."""

from collections.abc import Sequence
from math import inf

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.churn import raise_noise, raised_levels
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("euler", family="Euler", order=1)
def euler(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Proposals:
    """First-order steps of the probability-flow ODE; one evaluation per step.

    Parameters
    ----------
    s_churn, s_tmin, s_tmax, s_noise : float
        Noise added before a step; see `sdnb.diffusion.samplers.churn`.

    Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without its correction.
    """
    raised = raised_levels(sigmas, s_churn, s_tmin, s_tmax)
    for sigma, start, sigma_next in zip(sigmas, raised, sigmas[1:], strict=False):
        x = raise_noise(x, sigma, start, noise, s_noise)
        denoised = yield Evaluate(x, start)
        slope = (x - denoised) / start
        x = yield Step(denoised, x + slope * (sigma_next - start), sigma_next)
