"""Gradient estimation with CFG++: as `euler_cfg_pp`, with a slope that leans."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import EvaluateBoth, Proposals, Step, sampler
from sdnb.shapes import State


@sampler(
    "gradient_estimation_cfg_pp",
    family="CFG++",
    order=1,
    history=1,
    asks_both=True,
)
def gradient_estimation_cfg_pp(
    x: State, sigmas: Sequence[float], noise: Noise, *, ge_gamma: float = 2.0
) -> Proposals:
    """First-order steps along an extrapolated unguided slope; one evaluation per step.

    Parameters
    ----------
    ge_gamma : float
        How far the slope leans: 1 is `euler_cfg_pp`.

    Source: Permenter and Yuan 2024 (arXiv:2306.04848), Algorithm 2, with the step of Chung et
    al. 2024 (arXiv:2406.08070), Algorithm 2.
    """
    last = None
    for sigma, sigma_next in pairwise(sigmas):
        denoised, denoised_uncond = yield EvaluateBoth(x, sigma)
        slope = (x - denoised_uncond) / sigma
        x_next = denoised + sigma_next * slope
        if last is not None and sigma_next > 0:
            x_next = x_next + (ge_gamma - 1) * (sigma_next - sigma) * (slope - last)
        x = yield Step(denoised, x_next, sigma_next)
        last = slope
