"""Sigma schedules that spread the noise levels between the model's highest and lowest.

Those that spread the training timesteps are in `sdnb.diffusion.levels_by_timestep`.
"""

from math import atan, log

import torch

from sdnb.diffusion.beta_distribution import quantiles
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.sigma_schedules import schedule, to_zero
from sdnb.shapes import Sigmas


@schedule("karras")
def karras(steps: int, noise_schedule: NoiseSchedule, *, rho: float = 7.0) -> Sigmas:
    """Evenly spaced in ``sigma**(1 / rho)``: short steps near the clean end.

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 5.
    """
    high, low = noise_schedule.sigma_max ** (1 / rho), noise_schedule.sigma_min ** (1 / rho)
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    return to_zero((high + ramp * (low - high)) ** rho)


@schedule("exponential")
def exponential(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced in ``log sigma``. Source: Lu et al. 2022 (arXiv:2206.00927), section 3.3."""
    return polyexponential(steps, noise_schedule, rho=1.0)


@schedule("polyexponential")
def polyexponential(steps: int, noise_schedule: NoiseSchedule, *, rho: float = 1.0) -> Sigmas:
    """A power of even spacing in ``log sigma``; over 1, ``rho`` shortens the steps near 0.

    Source: k-diffusion's documented schedule of this name; rho = 1 is `exponential`.
    """
    high, low = log(noise_schedule.sigma_max), log(noise_schedule.sigma_min)
    ramp = torch.linspace(1, 0, steps, dtype=torch.float64) ** rho
    return to_zero((low + ramp * (high - low)).exp())


@schedule("kl_optimal")
def kl_optimal(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced in ``arctan(sigma)``: what is best for Gaussian data of unit variance.

    ``sigma_i = tan((1 - i / (S - 1)) * arctan(sigma_max) + i / (S - 1) * arctan(sigma_min))``.
    Source: Sabour et al. 2024 (arXiv:2404.14507), the closed form that minimises their bound of
    the Kullback-Leibler divergence.
    """
    high, low = atan(noise_schedule.sigma_max), atan(noise_schedule.sigma_min)
    return to_zero(torch.linspace(high, low, steps, dtype=torch.float64).tan())


@schedule("linear_quadratic")
def linear_quadratic(
    steps: int, noise_schedule: NoiseSchedule, *, threshold_noise: float = 0.025
) -> Sigmas:
    """Half of the steps remove little noise in equal parts, the others the rest, ever faster.

    ``threshold_noise`` is the share of sigma_max that the first half removes; the default is what
    the first 25 of 1000 equal steps would. The second half goes on with the slope of the first:
    ``sigma_i / sigma_max = 1 - slope * i - bend * (i - S // 2)**2``.
    Source: Polyak et al. 2024 (Movie Gen, arXiv:2410.13720), the linear-quadratic t-schedule of
    its section on inference.
    """
    linear = steps // 2
    quadratic = steps - linear
    joint = threshold_noise if linear else 0.0
    slope = joint / max(linear, 1)
    bend = (1 - joint - slope * quadratic) / quadratic**2
    i = torch.arange(steps, dtype=torch.float64)
    removed = slope * i + bend * (i - linear).clamp(min=0) ** 2
    return to_zero((1 - removed) * noise_schedule.sigma_max)


@schedule("beta_sigma")
def beta_sigma(
    steps: int, noise_schedule: NoiseSchedule, *, alpha: float = 0.6, beta: float = 0.6
) -> Sigmas:
    """Noise levels (not timesteps) at even quantiles of Beta(alpha, beta).

    The form of AUTOMATIC1111's web UI and of diffusers (``use_beta_sigmas``), from sigma_max to
    sigma_min.
    Source: after Lee et al. 2024 (arXiv:2407.12173), whose quantiles are of timesteps.
    """
    high, low = noise_schedule.sigma_max, noise_schedule.sigma_min
    shares = quantiles(torch.linspace(1, 0, steps, dtype=torch.float64), alpha, beta)
    return to_zero(low + shares * (high - low))
