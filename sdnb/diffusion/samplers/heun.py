"""Heun: Euler, looked at again from where it lands."""

from collections.abc import Sequence
from math import inf

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.churn import raise_noise, raised_levels
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("heun", family="Runge-Kutta", order=2)
def heun(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Proposals:
    """Second-order predictor-corrector; two evaluations per step, one in the last.

    Parameters
    ----------
    s_churn, s_tmin, s_tmax, s_noise : float
        Noise added before a step; see `sdnb.diffusion.samplers.churn`.

    Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2.
    """
    raised = raised_levels(sigmas, s_churn, s_tmin, s_tmax)
    for sigma, start, sigma_next in zip(sigmas, raised, sigmas[1:], strict=False):
        x = raise_noise(x, sigma, start, noise, s_noise)
        denoised = yield Evaluate(x, start)
        slope = (x - denoised) / start
        x_next = x + slope * (sigma_next - start)
        if sigma_next > 0:
            end = yield Evaluate(x_next, sigma_next)
            slope = (slope + (x_next - end) / sigma_next) / 2
            x_next = x + slope * (sigma_next - start)
        x = yield Step(denoised, x_next, sigma_next)
