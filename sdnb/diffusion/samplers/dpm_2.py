"""DPM2: the slope of the midpoint, in log sigma."""

from collections.abc import Sequence
from math import inf, sqrt

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.churn import raise_noise, raised_levels
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpm_2", family="DPM-Solver", order=2, discard_penultimate=True)
def dpm_2(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Proposals:
    """Second-order midpoint steps; two evaluations per step, one in the last.

    The midpoint lies halfway in ``log sigma``, at the geometric mean of the two levels.

    Parameters
    ----------
    s_churn, s_tmin, s_tmax, s_noise : float
        Noise added before a step; see `sdnb.diffusion.samplers.churn`.

    Source: Lu et al. 2022 (arXiv:2206.00927), Algorithm 1 (DPM-Solver-2), with the slope in
    sigma of Karras et al. 2022 (arXiv:2206.00364).
    """
    raised = raised_levels(sigmas, s_churn, s_tmin, s_tmax)
    for sigma, start, sigma_next in zip(sigmas, raised, sigmas[1:], strict=False):
        x = raise_noise(x, sigma, start, noise, s_noise)
        denoised = yield Evaluate(x, start)
        slope = (x - denoised) / start
        if sigma_next > 0:
            middle = sqrt(start * sigma_next)
            x_middle = x + slope * (middle - start)
            slope = (x_middle - (yield Evaluate(x_middle, middle))) / middle
        x = yield Step(denoised, x + slope * (sigma_next - start), sigma_next)
