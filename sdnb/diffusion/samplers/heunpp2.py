"""Heun++: the mean of up to three slopes, weighted by their levels."""

from collections.abc import Sequence
from math import inf

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.churn import raise_noise, raised_levels
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("heunpp2", family="Runge-Kutta", order=1, nominal_order=2)
def heunpp2(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    s_churn: float = 0.0,
    s_tmin: float = 0.0,
    s_tmax: float = inf,
    s_noise: float = 1.0,
) -> Proposals:
    """Looks two levels ahead: three evaluations per step, two in the last but one, one at last.

    The later slopes weigh ``sigma / (k * sigmas[0])``, a share of the first level rather than of
    the step: they fade out as the levels fall, so the method converges with order 1. Its numbers
    are those of the known implementation; of second order is `heun`.

    Parameters
    ----------
    s_churn, s_tmin, s_tmax, s_noise : float
        Noise added before a step; see `sdnb.diffusion.samplers.churn`.

    Source: no paper; the idea of `heun`, carried on to a third slope.
    """
    raised = raised_levels(sigmas, s_churn, s_tmin, s_tmax)
    for i, (sigma, start) in enumerate(zip(sigmas, raised, strict=False)):
        x = raise_noise(x, sigma, start, noise, s_noise)
        denoised = yield Evaluate(x, start)
        slopes = [(x - denoised) / start]
        ahead = [level for level in sigmas[i + 1 : i + 3] if level > 0]
        x_ahead, level_ahead = x, start
        for level in ahead:
            x_ahead = x_ahead + slopes[-1] * (level - level_ahead)
            slopes.append((x_ahead - (yield Evaluate(x_ahead, level))) / level)
            level_ahead = level
        weights = [level / ((len(ahead) + 1) * sigmas[0]) for level in ahead]
        slope = slopes[0] * (1 - sum(weights))
        for weight, later in zip(weights, slopes[1:], strict=True):
            slope = slope + weight * later
        x = yield Step(denoised, x + slope * (sigmas[i + 1] - start), sigmas[i + 1])
