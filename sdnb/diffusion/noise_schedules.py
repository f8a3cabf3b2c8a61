"""Noise schedules of training: how fast a picture drowns, ``betas -> alphas_cumprod [T]``.

Sampling's own choice of levels is in `sdnb.diffusion.sigma_schedules`. The conversion between a
noise level and a training timestep lives here and nowhere else.
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, log

import numpy as np
import torch

from sdnb.shapes import TrainingSteps


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The noise levels a model was trained on.

    On the variance-exploding scale used everywhere, ``x = x0 + sigma * eps`` with
    ``sigma(t)**2 = (1 - alphas_cumprod[t]) / alphas_cumprod[t]``.

    Parameters
    ----------
    alphas_cumprod : Tensor [T]
        Float64, on the CPU, falling, over 0 and under 1 (Ho et al. 2020, arXiv:2006.11239, eq. 4).
    """

    alphas_cumprod: TrainingSteps

    @cached_property
    def sigmas(self) -> TrainingSteps:
        """The level of every training timestep, rising."""
        return ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()

    @cached_property
    def _log_sigmas(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        logs: np.ndarray[tuple[int], np.dtype[np.float64]] = self.sigmas.log().numpy()
        return logs

    @property
    def sigma_min(self) -> float:
        """The level of timestep 0."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """The level of timestep T - 1."""
        return float(self.sigmas[-1])

    def sigma(self, t: float) -> float:
        """Return the level of a timestep, fractional ones by log-linear interpolation."""
        return exp(float(np.interp(t, np.arange(len(self._log_sigmas)), self._log_sigmas)))

    def t(self, sigma: float) -> float:
        """Return the (fractional) timestep of a level; levels outside the range give its ends."""
        if sigma <= 0:
            return 0.0
        return float(np.interp(log(sigma), self._log_sigmas, np.arange(len(self._log_sigmas))))

    def snr(self, t: float) -> float:
        """Return the signal-to-noise ratio ``1 / sigma(t)**2`` of a timestep."""
        return self.sigma(t) ** -2


def scaled_linear(
    T: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
) -> NoiseSchedule:
    """Stable Diffusion's schedule: ``sqrt(beta)`` rises linearly.

    Source: Rombach et al. 2022 (arXiv:2112.10752), released configuration.
    """
    roots = torch.linspace(beta_start**0.5, beta_end**0.5, T, dtype=torch.float64)
    return _from_betas(roots**2)


def linear(T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> NoiseSchedule:
    """Betas rise linearly. Source: Ho et al. 2020 (arXiv:2006.11239), section 4."""
    return _from_betas(torch.linspace(beta_start, beta_end, T, dtype=torch.float64))


def _from_betas(betas: TrainingSteps) -> NoiseSchedule:
    return NoiseSchedule(torch.cumprod(1 - betas, dim=0))
