"""DPM++ SDE: a midpoint step of the diffusion SDE."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("dpmpp_sde", family="DPM-Solver++", order=2, stochastic=True, brownian=True)
def dpmpp_sde(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    eta: float = 1.0,
    s_noise: float = 1.0,
    r: float = 1 / 2,
) -> Proposals:
    """Stochastic single steps in the clean estimate; two evaluations per step, one in the last.

    Parameters
    ----------
    eta : float
        Share of noise: 0 is DPM-Solver++(2S).
    s_noise : float
        Factor on the noise put back.
    r : float
        Where the midpoint lies, a share of the step in ``log sigma``.

    Source: Lu et al. 2022 (arXiv:2211.01095), Algorithm 1, with the noise of the SDE in both
    stages.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        middle = sigma * (sigma_next / sigma) ** r
        down, up = ancestral_split(sigma, middle, eta)
        x_middle = denoised + (down / sigma) * (x - denoised)
        x_middle = renoise(x_middle, noise, sigma, middle, s_noise * up)
        denoised_middle = yield Evaluate(x_middle, middle)
        down, up = ancestral_split(sigma, sigma_next, eta)
        target = denoised + (denoised_middle - denoised) / (2 * r)
        x_next = target + (down / sigma) * (x - target)
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * up)
        x = yield Step(denoised, x_next, sigma_next)
