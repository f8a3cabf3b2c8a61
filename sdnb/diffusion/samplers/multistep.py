"""Weights of multistep methods: what each remembered answer counts in the next step.

A multistep method lays a polynomial through the answers it remembers and integrates it over the
step. Here are the integrals; what is integrated over is the sampler's choice.
"""

from collections.abc import Sequence
from math import exp, expm1

from sdnb.errors import InvalidField
from sdnb.shapes import State


def check_order(name: str, order: int, most: int) -> None:
    """Refuse an order that a sampler does not have; ``name`` is the option's."""
    if order not in range(1, most + 1):
        raise InvalidField(
            f"there is no {name} of this number.",
            given=order,
            allowed=", ".join(map(str, range(1, most + 1))),
            fix=f"{name}={most}",
        )


def weights_of(nodes: Sequence[float], moments: Sequence[float]) -> list[float]:
    """Weights that integrate every polynomial through ``nodes`` exactly.

    Parameters
    ----------
    nodes : sequence of float
        Where the answers were given, all different.
    moments : sequence of float
        The integral of ``s**k`` for k = 0 … len(nodes) - 1.

    Source: Björck and Pereyra 1970, Solution of Vandermonde systems of equations, the primal
    algorithm.
    """
    weights, last = list(moments), len(moments) - 1
    for k in range(last):
        for i in range(last, k, -1):
            weights[i] -= nodes[k] * weights[i - 1]
    for k in reversed(range(last)):
        for i in range(k, last):
            weights[i + 1] /= nodes[i + 1] - nodes[i - k]
        for i in range(k, last):
            weights[i] -= weights[i + 1]
    return weights


def weighed(states: Sequence[State], weights: Sequence[float]) -> State:
    """Return the sum of states, each times its weight, in one operation for each."""
    total = states[0] * weights[0]
    for state, weight in zip(states[1:], weights[1:], strict=True):
        total = total.add(state, alpha=weight)
    return total


def adams_weights(levels: Sequence[float], begin: float, end: float) -> list[float]:
    """Integrals over ``begin … end`` of the Lagrange polynomials through ``levels``.

    Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I, section III.5
    (Adams methods with variable steps).
    """
    scale = end - begin
    nodes = [(level - begin) / scale for level in levels]
    return weights_of(nodes, [scale / (k + 1) for k in range(len(nodes))])


def exponential_weights(
    lambdas: Sequence[float], begin: float, end: float, tau: float = 0.0
) -> list[float]:
    """Weights of the answers in an exponential integrator over ``lambda = -log sigma``.

    With ``a = 1 + tau**2``, the integrals over ``begin … end`` of
    ``a * exp(-a * (end - lambda))`` times the Lagrange polynomials through ``lambdas``. They
    add up to ``1 - exp(-a * (end - begin))``.

    Source: Xue et al. 2023 (arXiv:2309.05019), eq. 14; with tau 0 Lu et al. 2022
    (arXiv:2211.01095), eq. 9.
    """
    h = end - begin
    rate = (1 + tau**2) * h
    nodes = [(value - begin) / h for value in lambdas]
    return weights_of(nodes, _exponential_moments(rate, len(nodes)))


def _exponential_moments(rate: float, count: int) -> list[float]:
    # integrals over 0 … 1 of rate * exp(-rate * (1 - s)) * s**k; the recursion by parts loses
    # digits where rate is small, the series in rate where it is large
    if rate > 1:
        moments = [-expm1(-rate)]
        for k in range(1, count):
            moments.append(1 - k / rate * moments[-1])
        return moments
    return [_moment_series(rate, k) for k in range(count)]


def _moment_series(rate: float, k: int) -> float:
    # exp(-rate) * sum of rate**(n + 1) / n! / (n + k + 1)
    term, total = rate, 0.0
    for n in range(20):
        total += term / (n + k + 1)
        term *= rate / (n + 1)
    return exp(-rate) * total
