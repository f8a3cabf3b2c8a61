"""One step of DPM-Solver, of order 1, 2 or 3: what `dpm_fast` and `dpm_adaptive` are made of.

Each generator is given the noise ``eps`` at the start, asks for what else it needs, and returns
``(x_next, x_lower)``: its result, and the one of an order less from the same answers.
"""

from collections.abc import Generator
from math import expm1, log
from typing import Any

from sdnb.diffusion.samplers.contract import Evaluate
from sdnb.shapes import State

Embedded = Generator[Evaluate, Any, tuple[State, State]]


def step_1(x: State, eps: State, sigma: float, sigma_next: float) -> Embedded:
    """Step with the noise of the start. Source: Lu et al. 2022 (arXiv:2206.00927), eq. 3.7."""
    yield from ()
    return _straight(x, eps, sigma, sigma_next), x


def step_2(x: State, eps: State, sigma: float, sigma_next: float) -> Embedded:
    """Step with the noise of the midpoint. Source: arXiv:2206.00927, Algorithm 1."""
    eps_1 = yield from _ask(x, eps, sigma, sigma_next, 1 / 2)
    return (
        _straight(x, eps_1, sigma, sigma_next),
        _straight(x, eps, sigma, sigma_next),
    )


def step_3(x: State, eps: State, sigma: float, sigma_next: float) -> Embedded:
    """Step with the noise at 1/3 and 2/3. Source: arXiv:2206.00927, Algorithm 2."""
    eps_1 = yield from _ask(x, eps, sigma, sigma_next, 1 / 3)
    s_2 = _level(sigma, sigma_next, 2 / 3)
    u_2 = _straight(x, eps, sigma, s_2) - 2 * _curve(sigma, s_2) * (eps_1 - eps)
    eps_2 = (u_2 - (yield Evaluate(u_2, s_2))) / s_2
    start = _straight(x, eps, sigma, sigma_next)
    return (
        start - 3 / 2 * _curve(sigma, sigma_next) * (eps_2 - eps),
        start + 3 / 2 * (sigma_next - sigma) * (eps_1 - eps),
    )


STEPS = {1: step_1, 2: step_2, 3: step_3}
"""By their order."""


def _ask(
    x: State, eps: State, sigma: float, sigma_next: float, share: float
) -> Generator[Evaluate, Any, State]:
    s_1 = _level(sigma, sigma_next, share)
    u_1 = _straight(x, eps, sigma, s_1)
    eps_1: State = (u_1 - (yield Evaluate(u_1, s_1))) / s_1
    return eps_1


def _level(sigma: float, sigma_next: float, share: float) -> float:
    # a share of the way in log sigma
    return float(sigma * (sigma_next / sigma) ** share)


def _straight(x: State, eps: State, sigma: float, sigma_next: float) -> State:
    return x + (sigma_next - sigma) * eps


def _curve(sigma: float, sigma_next: float) -> float:
    # sigma_next * (phi_1(h) - 1), the paper's weight of the first derivative in log sigma
    h = log(sigma / sigma_next)
    return sigma_next * (expm1(h) / h - 1)
