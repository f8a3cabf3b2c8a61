"""iPNDM-v: iPNDM with weights that follow the steps, as its known implementation has them."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import check_order
from sdnb.shapes import State


@sampler("ipndm_v", family="PNDM", order=2, nominal_order=4, history=3)
def ipndm_v(x: State, sigmas: Sequence[float], noise: Noise, *, max_order: int = 4) -> Proposals:
    """Linear multistep with weights for variable steps; one evaluation per step.

    From order 3 on the weights differ from those of variable-step Adams-Bashforth; the numbers
    are those of the known implementation, and of measured order 2. The exact weights are those of
    `lms`.
    A step to 0 returns ``denoised``.

    Parameters
    ----------
    max_order : int
        Slopes used, the present one included, 1 … 4.

    Source: Zhang and Chen 2022 (arXiv:2204.13902), iPNDM, for variable steps.
    """
    check_order("max_order", max_order, 4)
    hs: list[float] = []
    slopes: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        slopes = [(x - denoised) / sigma, *slopes[: max_order - 1]]
        hs = [sigma_next - sigma, *hs[: max_order - 1]]
        x_next = denoised
        if sigma_next > 0:
            x_next = x
            for weight, slope in zip(variable_weights(hs), slopes, strict=True):
                x_next = x_next + (hs[0] * weight) * slope
        x = yield Step(denoised, x_next, sigma_next)


def variable_weights(hs: Sequence[float]) -> list[float]:
    """Weights of the slopes, newest first, for steps ``hs`` of which the first is to come.

    They are nested: each further slope adds a multiple of a divided difference.
    """
    h = hs[0]
    weights = [1.0]
    if len(hs) > 1:
        ratio = h / hs[1]
        weights = [1 + ratio / 2, -ratio / 2]
    if len(hs) > 2:
        second = (1 - h / (3 * (h + hs[1])) * _spread(hs)) / 2
        weights = _added(weights, second, [1.0, -(1 + hs[1] / hs[2]), hs[1] / hs[2]])
    if len(hs) > 3:
        third = _third(hs)
        inner = hs[1] * (hs[1] + hs[2]) / (hs[2] * (hs[2] + hs[3]))
        ratio = hs[1] / hs[2]
        weights = _added(
            weights,
            third,
            [1.0, -(1 + ratio + inner), ratio + inner * (1 + hs[2] / hs[3]), -inner * ratio],
        )
    return weights


def _added(weights: Sequence[float], factor: float, pattern: Sequence[float]) -> list[float]:
    return [weight + factor * part for weight, part in zip([*weights, 0.0], pattern, strict=True)]


def _spread(hs: Sequence[float]) -> float:
    return hs[0] * (hs[0] + hs[1]) / (hs[1] * (hs[1] + hs[2]))


def _third(hs: Sequence[float]) -> float:
    h, two, three = hs[0], hs[0] + hs[1], hs[0] + hs[1] + hs[2]
    bracket = (1 - h / (3 * two)) / 2 + (1 - h / (2 * two)) * h / (6 * three)
    past = hs[1] * (hs[1] + hs[2]) * (hs[1] + hs[2] + hs[3])
    return bracket * h * two * three / past
