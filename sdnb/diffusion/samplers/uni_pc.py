"""UniPC: a predictor of any order and a corrector that costs nothing."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import expm1, log

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import check_order, weighed, weights_of
from sdnb.shapes import State

END = 0.001
"""The level at which a run to 0 ends, or half its last level: the method works in log sigma."""


@sampler("uni_pc", family="UniPC", order=2, nominal_order=3, history=3, discard_penultimate=True)
def uni_pc(x: State, sigmas: Sequence[float], noise: Noise, *, order: int = 3) -> Proposals:
    """Predictor-corrector in the clean estimate with ``B(h) = h``; one evaluation per step.

    Each answer corrects the point it was given at before the next prediction. Ends at level
    0.001 instead of 0; the first and last steps have lower orders.

    Parameters
    ----------
    order : int
        Answers used, the present one included, 1 … 3; less than the number of steps.

    Source: Zhao et al. 2023 (arXiv:2302.04867), with ``B_1``.
    """
    return _unified(x, sigmas, order, lambda h: -h)


@sampler(
    "uni_pc_bh2", family="UniPC", order=2, nominal_order=3, history=3, discard_penultimate=True
)
def uni_pc_bh2(x: State, sigmas: Sequence[float], noise: Noise, *, order: int = 3) -> Proposals:
    """`uni_pc` with ``B(h) = exp(h) - 1``; one evaluation per step.

    Parameters
    ----------
    order : int
        As there.

    Source: Zhao et al. 2023 (arXiv:2302.04867), with ``B_2``.
    """
    return _unified(x, sigmas, order, lambda h: expm1(-h))


def _unified(
    x: State, sigmas: Sequence[float], order: int, scale: Callable[[float], float]
) -> Proposals:
    check_order("order", order, 3)
    levels = [*sigmas[:-1], sigmas[-1] or min(END, sigmas[-2] / 2)]
    order = max(1, min(order, len(levels) - 2))
    answers: list[State] = []
    lambdas: list[float] = []
    begin, predicted, used = x, x, 0
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        denoised = yield Evaluate(x, sigma)
        if used:
            h = -log(sigma) - lambdas[0]
            nodes = [*((value - lambdas[0]) / h for value in lambdas[1:used]), 1.0]
            others = [*answers[1:used], denoised]
            weights = unified_weights(nodes, h, scale(h))
            corrected = _move([begin, answers[0], *others], h, nodes, weights)
            # what a hook changed in x stays changed
            x = x + (corrected - predicted)
        answers, lambdas = [denoised, *answers[: order - 1]], [-log(sigma), *lambdas[: order - 1]]
        used = min(order, i + 1, len(levels) - 1 - i)
        h = -log(sigma_next) - lambdas[0]
        nodes = [(value - lambdas[0]) / h for value in lambdas[1:used]]
        weights = unified_weights(nodes, h, scale(h))
        begin = x
        predicted = _move([x, *answers[:used]], h, nodes, weights)
        x = yield Step(denoised, predicted, sigma_next)


def unified_weights(nodes: Sequence[float], h: float, scale: float) -> list[float]:
    """Weights of the difference quotients at ``nodes`` (shares of the step), ``B(h)`` included.

    A single one is given 1/2, which keeps its order.

    Source: Zhao et al. 2023 (arXiv:2302.04867).
    """
    if len(nodes) == 1:
        return [scale / 2]
    moments, phi, factorial = [], expm1(-h) / -h - 1, 1.0
    for k in range(1, len(nodes) + 1):
        moments.append(phi * factorial)
        factorial *= k + 1
        phi = phi / -h - 1 / factorial
    return weights_of(nodes, moments) if nodes else []


def _move(
    states: Sequence[State], h: float, nodes: Sequence[float], weights: Sequence[float]
) -> State:
    # an exponential Euler step from the first state towards the second, which is the answer there,
    # bent by what the other answers, at the nodes, differ from it
    bends = [weight / node for node, weight in zip(nodes, weights, strict=True)]
    lost = -expm1(-h)
    return weighed(states, [1 - lost, lost + sum(bends), *(-bend for bend in bends)])
