"""DPM++ 2M SDE: the multistep DPM++ with the noise of the diffusion SDE."""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1, log, sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpmpp_2m_sde", family="DPM-Solver++", order=2, history=1, stochastic=True, brownian=True)
def dpmpp_2m_sde(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    solver_type: str = "midpoint",
) -> Proposals:
    """Stochastic multistep in the clean estimate; one evaluation per step.

    Parameters
    ----------
    eta : float
        Share of the SDE's noise: 0 is deterministic, with ``midpoint`` just `dpmpp_2m`.
    s_noise : float
        Factor on the noise added.
    solver_type : str
        ``midpoint`` or ``heun``: how the slope between two answers is used.

    Source: Lu et al. 2022 (arXiv:2211.01095), appendix (SDE-DPM-Solver++(2M)), for general
    ``eta``.
    """
    previous, h_last = None, 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        h = log(sigma / sigma_next)
        rate = h * (1 + eta)
        gone = -expm1(-rate)
        x_next = denoised + (1 - gone) * (x - denoised)
        if previous is not None:
            share = gone / 2 if solver_type == "midpoint" else 1 - gone / rate
            x_next = x_next + share * h / h_last * (denoised - previous)
        spread = sigma_next * sqrt(-expm1(-2 * eta * h))
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * spread)
        x = yield Step(denoised, x_next, sigma_next)
        previous, h_last = denoised, h


@sampler(
    "dpmpp_2m_sde_heun", family="DPM-Solver++", order=2, history=1, stochastic=True, brownian=True
)
def dpmpp_2m_sde_heun(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """`dpmpp_2m_sde` with ``solver_type=heun``.

    Parameters
    ----------
    eta, s_noise : float
        As there.

    Source: Lu et al. 2022 (arXiv:2211.01095), appendix (SDE-DPM-Solver++(2M)).
    """
    return dpmpp_2m_sde.function(x, sigmas, noise, eta=eta, s_noise=s_noise, solver_type="heun")
