"""RES multistep: the refined exponential solver with one memory."""

from collections.abc import Sequence
from itertools import pairwise
from math import expm1, log

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("res_multistep", family="RES", order=2, history=1)
def res_multistep(x: State, sigmas: Sequence[float], noise: Noise) -> Proposals:
    """Second-order exponential multistep in the clean estimate; one evaluation per step.

    The first step and a step to 0 are of first order.

    Source: Zhang et al. 2023 (arXiv:2308.02157), section 4 and Table 2.
    """
    return _refined(x, sigmas, noise, eta=0.0, s_noise=1.0)


@sampler("res_multistep_ancestral", family="RES", order=2, history=1, stochastic=True)
def res_multistep_ancestral(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 1.0, s_noise: float = 1.0
) -> Proposals:
    """`res_multistep` with fresh noise in every step; one evaluation per step.

    Parameters
    ----------
    eta : float
        Share of DDPM's posterior noise: 0 is `res_multistep`.
    s_noise : float
        Factor on the noise put back.

    Source: Zhang et al. 2023 (arXiv:2308.02157), section 4, with the noise of
    `euler_ancestral`.
    """
    return _refined(x, sigmas, noise, eta=eta, s_noise=s_noise)


def _refined(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float, s_noise: float
) -> Proposals:
    previous, sigma_last, down_last = None, 0.0, 0.0
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        down, up = ancestral_split(sigma, sigma_next, eta)
        x_next = denoised + (down / sigma) * (x - denoised)
        if previous is not None and down > 0 and down_last > 0:
            weight = memory_weight(sigma, down, sigma_last, down_last)
            x_next = x_next + weight * (previous - denoised)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * up)
        x = yield Step(denoised, x_next, sigma_next)
        previous, sigma_last, down_last = denoised, sigma, down


def memory_weight(sigma: float, down: float, sigma_last: float, down_last: float) -> float:
    """Weight of the last answer in a step from ``sigma`` to ``down``.

    ``sigma_last`` and ``down_last`` are the ends of the last step's deterministic part: the
    memory lies as far back as that part was long, also where noise was put back after it.

    Source: Zhang et al. 2023 (arXiv:2308.02157), Table 2 (``b_2 = phi_2 / c_2``).
    """
    h = log(sigma / down)
    phi_2 = (expm1(-h) / h + 1) / h
    return h * phi_2 * h / log(down_last / sigma_last)
