"""Churn: noise added before a step, which the step then takes away again."""

from collections.abc import Sequence
from math import sqrt

from sdnb.diffusion.noise import Noise, renoise
from sdnb.shapes import State


def raised_levels(
    sigmas: Sequence[float], s_churn: float, s_tmin: float, s_tmax: float
) -> list[float]:
    """Levels from which the steps are made, the last level (no step) left out.

    Each level between ``s_tmin`` and ``s_tmax`` is raised by the share ``s_churn / S`` of S
    steps, at most by 0.41; with an ``s_churn`` of 0 all stay.

    Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2, lines 2 and 5.
    """
    gamma = min(s_churn / (len(sigmas) - 1), sqrt(2) - 1)
    return [s * (1 + gamma) if s_tmin <= s <= s_tmax else s for s in sigmas[:-1]]


def raise_noise(x: State, sigma: float, raised: float, noise: Noise, s_noise: float) -> State:
    """Add the noise that lifts ``x`` from level ``sigma`` to ``raised``.

    Source: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2, lines 4 and 6.
    """
    return renoise(x, noise, sigma, raised, s_noise * sqrt(raised**2 - sigma**2))
