"""Gradient estimation: Euler with a slope that leans away from the last one."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("gradient_estimation", family="Gradient estimation", order=1, history=1)
def gradient_estimation(
    x: State, sigmas: Sequence[float], noise: Noise, *, ge_gamma: float = 2.0
) -> Proposals:
    """First-order steps with an extrapolated slope; one evaluation per step.

    Seen as gradient descent on the distance to the data, two slopes estimate the gradient
    better than one. A step to 0 returns ``denoised``.

    Parameters
    ----------
    ge_gamma : float
        How far the slope leans: 1 is Euler, the paper's choice 2.

    Source: Permenter and Yuan 2024 (arXiv:2306.04848), Algorithm 2, eq. 12.
    """
    last = None
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        slope = (x - denoised) / sigma
        lean = slope if last is None else slope + (ge_gamma - 1) * (slope - last)
        x_next = x + lean * (sigma_next - sigma) if sigma_next > 0 else denoised
        x = yield Step(denoised, x_next, sigma_next)
        last = slope
