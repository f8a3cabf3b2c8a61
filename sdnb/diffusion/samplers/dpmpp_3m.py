"""DPM++ 3M: an exponential multistep method of true third order."""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import exponential_weights
from sdnb.shapes import State


@sampler("dpmpp_3m", family="DPM-Solver++", order=3, history=2)
def dpmpp_3m(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Third-order multistep in the clean estimate; one evaluation per step, two in the first two.

    The first two steps are single midpoint steps of second order, so that their error does not
    spoil the order of the rest. A step to 0 returns ``denoised``.

    Source: Lu et al. 2022 (arXiv:2211.01095), section 4 and eq. 9 with polynomials through three
    answers; started by its Algorithm 1.
    """
    lambdas: list[float] = []
    answers: list[State] = []
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        lambdas, answers = [-log(sigma), *lambdas[:2]], [denoised, *answers[:2]]
        kept = sigma_next / sigma
        if len(answers) < 3:
            middle = sqrt(sigma * sigma_next)
            target = yield Evaluate(denoised + (middle / sigma) * (x - denoised), middle)
            x_next = kept * x + (1 - kept) * target
        else:
            x_next = kept * x
            weights = exponential_weights(lambdas, lambdas[0], -log(sigma_next))
            for weight, answer in zip(weights, answers, strict=True):
                x_next = x_next + weight * answer
        x = yield Step(denoised, x_next, sigma_next)
