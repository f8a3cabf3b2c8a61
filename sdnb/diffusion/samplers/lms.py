"""LMS: Adams-Bashforth on the slopes, with weights for the levels as they are."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import adams_weights, check_order
from sdnb.shapes import State


@sampler("lms", family="Adams", order=2, nominal_order=4, history=3)
def lms(x: State, sigmas: Sequence[float], noise: Noise, *, order: int = 4) -> Proposals:
    """Linear multistep over sigma; one evaluation per step.

    The first steps have fewer slopes to remember: the very first, of order 1, leaves the error
    of order 2 that is measured. A step to 0 returns ``denoised``.

    Parameters
    ----------
    order : int
        Slopes used, the present one included, 1 … 4.

    Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, section III.5,
    on the ODE that `heun` solves.
    """
    check_order("order", order, 4)
    levels: list[float] = []
    slopes: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        levels = [sigma, *levels[: order - 1]]
        slopes = [(x - denoised) / sigma, *slopes[: order - 1]]
        x_next = denoised
        if sigma_next > 0:
            x_next = x
            for weight, slope in zip(adams_weights(levels, sigma, sigma_next), slopes, strict=True):
                x_next = x_next + weight * slope
        x = yield Step(denoised, x_next, sigma_next)
