"""iPNDM: Adams-Bashforth on the slopes with the weights of equal steps."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import check_order
from sdnb.diffusion.samplers.plms import WEIGHTS
from sdnb.shapes import State


@sampler("ipndm", family="PNDM", order=2, nominal_order=4, history=3)
def ipndm(x: State, sigmas: Sequence[float], noise: Noise, *, max_order: int = 4) -> Proposals:
    """Linear multistep that starts with its own lower orders; one evaluation per step.

    As `plms`, without the second evaluation of the first step. The weights are those of equal
    steps whatever the schedule. A step to 0 returns ``denoised``.

    Parameters
    ----------
    max_order : int
        Slopes used, the present one included, 1 … 4.

    Source: Zhang and Chen 2022 (arXiv:2204.13902), iPNDM, after Liu et al. 2022
    (arXiv:2202.09778), eq. 12.
    """
    check_order("max_order", max_order, 4)
    slopes: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        slopes = [(x - denoised) / sigma, *slopes[: max_order - 1]]
        x_next = denoised
        if sigma_next > 0:
            x_next = x
            for weight, slope in zip(WEIGHTS[len(slopes) - 1], slopes, strict=True):
                x_next = x_next + ((sigma_next - sigma) * weight) * slope
        x = yield Step(denoised, x_next, sigma_next)
