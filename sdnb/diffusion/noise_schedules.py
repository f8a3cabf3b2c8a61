"""Noise schedules of training: how fast a picture drowns, ``betas -> alphas_cumprod [T]``.

Sampling's own choice of levels is in `sdnb.diffusion.sigma_schedules`. The conversion between a
noise level and a training timestep lives here and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import exp, log, pi

import numpy as np
import torch

from sdnb.errors import InvalidField
from sdnb.registry import NOISE_SCHEDULES
from sdnb.shapes import TrainingSteps

LEAST_ALPHA_CUMPROD = 4.9e-8
"""What stands for zero: at zero itself the noise level would be infinite."""


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The noise levels a model was trained on.

    On the variance-exploding scale used everywhere, ``x = x0 + sigma * eps`` with
    ``sigma(t)**2 = (1 - alphas_cumprod[t]) / alphas_cumprod[t]``.

    Parameters
    ----------
    alphas_cumprod : Tensor [T]
        Float64, on the CPU, falling, over 0 and under 1 (Ho et al. 2020, arXiv:2006.11239, eq. 4).

    Raises
    ------
    InvalidField
        Where ``alphas_cumprod`` is not so.
    """

    alphas_cumprod: TrainingSteps

    def __post_init__(self) -> None:
        alphas = self.alphas_cumprod
        inside = bool(((alphas > 0) & (alphas < 1)).all())
        if not (len(alphas) and inside and bool((alphas.diff() < 0).all())):
            raise InvalidField(
                "a noise schedule keeps less of the picture at every timestep.",
                given=f"alphas_cumprod from {alphas[:1].tolist()} to {alphas[-1:].tolist()}",
                allowed="falling numbers over 0 and under 1",
                fix="betas over 0 and under 1, for example linear(beta_end=0.02)",
            )

    @cached_property
    def sigmas(self) -> TrainingSteps:
        """The level of every training timestep, rising."""
        return ((1 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()

    @cached_property
    def _log_sigmas(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        logs: np.ndarray[tuple[int], np.dtype[np.float64]] = self.sigmas.log().numpy()
        return logs

    @cached_property
    def _timesteps(self) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return np.arange(len(self.alphas_cumprod), dtype=np.float64)

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
        return exp(float(np.interp(t, self._timesteps, self._log_sigmas)))

    def t(self, sigma: float) -> float:
        """Return the (fractional) timestep of a level; levels outside the range give its ends."""
        if sigma <= 0:
            return 0.0
        return float(np.interp(log(sigma), self._log_sigmas, self._timesteps))

    def snr(self, t: float) -> float:
        """Return the signal-to-noise ratio ``1 / sigma(t)**2`` of a timestep."""
        return self.sigma(t) ** -2


def noise_schedule(
    name: str,
) -> Callable[[Callable[..., NoiseSchedule]], Callable[..., NoiseSchedule]]:
    """Register a noise schedule under ``name``: a function that can be called with nothing."""
    return NOISE_SCHEDULES.register(name)


@noise_schedule("scaled_linear")
def scaled_linear(
    T: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
) -> NoiseSchedule:
    """Stable Diffusion's schedule: ``sqrt(beta)`` rises linearly.

    Source: Rombach et al. 2022 (arXiv:2112.10752), released configuration.
    """
    roots = torch.linspace(beta_start**0.5, beta_end**0.5, T, dtype=torch.float64)
    return _from_betas(roots**2)


@noise_schedule("linear")
def linear(T: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> NoiseSchedule:
    """Betas rise linearly. Source: Ho et al. 2020 (arXiv:2006.11239), section 4."""
    return _from_betas(torch.linspace(beta_start, beta_end, T, dtype=torch.float64))


@noise_schedule("squaredcos_cap_v2")
def squaredcos_cap_v2(T: int = 1000, max_beta: float = 0.999) -> NoiseSchedule:
    """``alphas_cumprod`` falls as a squared cosine, each beta at most ``max_beta``.

    Source: Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17, with s = 0.008.
    """
    t = torch.arange(T + 1, dtype=torch.float64) / T
    f = torch.cos((t + 0.008) / 1.008 * pi / 2) ** 2
    return _from_betas((1 - f[1:] / f[:-1]).clamp(max=max_beta))


@noise_schedule("zero_terminal_snr")
def zero_terminal_snr(
    T: int = 1000, beta_start: float = 0.00085, beta_end: float = 0.012
) -> NoiseSchedule:
    """Stable Diffusion's schedule, rescaled until nothing of the picture is left at its end.

    Source: Lin et al. 2023 (arXiv:2305.08891), Algorithm 1.
    """
    return rescale_to_zero_snr(scaled_linear(T, beta_start, beta_end))


def rescale_to_zero_snr(schedule: NoiseSchedule) -> NoiseSchedule:
    """Shift and stretch ``sqrt(alphas_cumprod)``: its last value becomes 0, its first stays.

    In place of the 0 stands `LEAST_ALPHA_CUMPROD` (or half of the value before, where that is
    less), so that the last noise level is finite and the highest.
    Source: Lin et al. 2023 (arXiv:2305.08891), Algorithm 1.
    """
    roots = schedule.alphas_cumprod.sqrt()
    first, last = roots[0], roots[-1]
    alphas_cumprod = ((roots - last) * first / (first - last)) ** 2
    alphas_cumprod[-1] = min(LEAST_ALPHA_CUMPROD, float(alphas_cumprod[-2]) / 2)
    return NoiseSchedule(alphas_cumprod)


def _from_betas(betas: TrainingSteps) -> NoiseSchedule:
    return NoiseSchedule(torch.cumprod(1 - betas, dim=0))
