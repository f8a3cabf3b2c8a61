"""PLMS: the weighted memory of the last four noise predictions."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State

# Adams-Bashforth weights of order 1 to 4, newest prediction first (the paper's eq. 12).
WEIGHTS = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


@sampler("plms", family="PNDM", history=3, order=2, nominal_order=4)
def plms(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Pseudo linear multistep; one evaluation per step, one more in the first.

    The transfer part of the paper's step is, on the variance-exploding scale, a straight line in
    sigma; the weights are those of equal steps whatever the schedule, so the measured order is 2.

    Source: Liu et al. 2022 (arXiv:2202.09778), eq. 11-13; first step by the pseudo improved
    Euler method of appendix A, as Stable Diffusion's own PLMS.
    """
    history: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        eps = (x - denoised) / sigma
        history = [eps, *history[:3]]
        if len(history) == 1 and sigma_next > 0:
            x_next = x + eps * (sigma_next - sigma)
            end = yield Evaluate(x_next, sigma_next)
            slope = (eps + (x_next - end) / sigma_next) / 2
        else:
            weights = WEIGHTS[len(history) - 1]
            slope = sum(
                (weight * past for weight, past in zip(weights[1:], history[1:], strict=True)),
                start=weights[0] * eps,
            )
        x = yield Step(denoised, x + slope * (sigma_next - sigma), sigma_next)
