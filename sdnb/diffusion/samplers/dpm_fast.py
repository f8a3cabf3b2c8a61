"""DPM fast: DPM-Solver with as many steps of order 3 as the evaluations allow."""

from collections.abc import Sequence
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.dpm_solver import STEPS
from sdnb.shapes import State


@sampler("dpm_fast", family="DPM-Solver", order=2, nominal_order=3, own_levels=True)
def dpm_fast(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 0.0, s_noise: float = 1.0
) -> Proposals:
    """Steps of order 3, the rest of order 2 and 1; S evaluations for S levels, in S/3 steps.

    Only the ends of ``sigmas`` are used: its own levels are even in ``log sigma``, the best
    spacing for its error. It stops at the last level over 0. The last steps, of lower order,
    leave the error of order 2 that is measured.

    Parameters
    ----------
    eta : float
        Share of ancestral noise: 0 is deterministic.
    s_noise : float
        Factor on the noise put back.

    Source: Lu et al. 2022 (arXiv:2206.00927), section 3.3 and appendix D (DPM-Solver-fast).
    """
    levels = [sigma for sigma in sigmas if sigma > 0]
    high, low, evaluations = levels[0], levels[-1], len(sigmas) - 1
    if high == low:
        denoised = yield Evaluate(x, high)
        yield Step(denoised, denoised, 0.0)
        return
    orders = step_orders(evaluations)
    sigma = high
    for i, order in enumerate(orders):
        sigma_next = high * (low / high) ** ((i + 1) / len(orders))
        sigma_down = max(ancestral_split(sigma, sigma_next, eta)[0], low)
        denoised = yield Evaluate(x, sigma)
        x_next, _ = yield from STEPS[order](x, (x - denoised) / sigma, sigma, sigma_down)
        sigma_up = sqrt(max(sigma_next**2 - sigma_down**2, 0.0))
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
        sigma = sigma_next


def step_orders(evaluations: int) -> list[int]:
    """Orders of the steps that use up just so many evaluations.

    Source: Lu et al. 2022 (arXiv:2206.00927), appendix D (DPM-Solver-fast).
    """
    threes, rest = divmod(evaluations, 3)
    return [3] * threes + [rest] if rest else [3] * (threes - 1) + [2, 1]
