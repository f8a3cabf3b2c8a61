"""Sigma schedules of sampling: which noise levels a run of S steps visits, ``[S + 1]`` down to 0.

A schedule is a function ``(steps, noise_schedule, **options) -> Tensor`` in float64 whose last
level is 0; `sigmas` adds what is common to all. Training's schedule is in
`sdnb.diffusion.noise_schedules`.
"""

from collections.abc import Callable
from math import log
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.diffusion.noise_schedules import NoiseSchedule, scaled_linear
from sdnb.errors import InvalidField
from sdnb.registry import SCHEDULES
from sdnb.shapes import Sigmas

Schedule = Callable[..., Sigmas]
"""``(steps, noise_schedule, **options)`` -> the levels, falling to 0; what `SCHEDULES` holds."""


def schedule(name: str) -> Callable[[Schedule], Schedule]:
    """Register a sigma schedule under ``name``: a flag, a menu entry, an axis of comparisons."""
    return SCHEDULES.register(name)


def sigmas(
    schedule: str,
    steps: int,
    *,
    noise_schedule: NoiseSchedule | None = None,
    denoise: float = 1.0,
    discard_penultimate: bool = False,
    **options: Any,
) -> Sigmas:
    """Return the noise levels of a run.

    Parameters
    ----------
    schedule : str
        A registered name: ``"karras"``.
    steps : int
        S, at least 1.
    noise_schedule : NoiseSchedule, optional
        The model's; Stable Diffusion's if not given.
    denoise : float
        Over 0, up to 1: only the last ``steps`` of ``int(steps / denoise)`` steps are kept.
    discard_penultimate : bool
        Compute one step more and leave out the level before 0, as second-order methods with a
        midpoint are used in practice.

    Returns
    -------
    Tensor [S + 1]
        Float64, falling to 0 (``ddim_uniform`` gives more levels where S does not divide T).

    Raises
    ------
    InvalidField
        Where the schedule cannot be spread over so many steps, or gives levels that do not fall.
    """
    noise_schedule = noise_schedule or scaled_linear()
    most = len(noise_schedule.alphas_cumprod)
    if not (steps >= 1 and 0 < denoise <= 1 and steps / denoise <= most):
        raise InvalidField(
            "a schedule cannot be spread over so many steps.",
            given={"steps": steps, "denoise": denoise},
            allowed=f"steps from 1, denoise over 0 and up to 1, steps / denoise up to {most}",
            fix="fewer steps, or a larger denoise",
        )
    levels: Sigmas = SCHEDULES.bind(schedule, options)(
        int(steps / denoise) + discard_penultimate, noise_schedule
    )
    if not bool(levels.isfinite().all() and (levels.diff() < 0).all()):
        raise InvalidField(
            f"the schedule {schedule} gives levels that do not fall.",
            given={"steps": steps, **options},
            allowed="finite levels, each under the one before",
            fix="fewer steps, or other options",
        )
    if discard_penultimate:
        levels = torch.cat([levels[:-2], levels[-1:]])
    return levels if denoise == 1 else levels[-(steps + 1) :]


@schedule("simple")
def simple(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced training timesteps counted from the noisy end.

    Source: ComfyUI's documented scheduler of this name; checked against its numbers.
    """
    trained = noise_schedule.sigmas
    indices = [len(trained) - 1 - int(i * len(trained) / steps) for i in range(steps)]
    return _to_zero(trained[indices])


@schedule("normal")
def normal(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced (fractional) timesteps from the noisiest level to the cleanest, then 0.

    Source: the linear selection of Song et al. 2021 (arXiv:2010.02502), appendix D.3, from the
    last timestep to the first.
    """
    first = noise_schedule.t(noise_schedule.sigma_max)
    timesteps = torch.linspace(first, 0.0, steps, dtype=torch.float64).tolist()
    levels = [noise_schedule.sigma(t) for t in timesteps]
    return _to_zero(torch.tensor(levels, dtype=torch.float64))


@schedule("karras")
def karras(steps: int, noise_schedule: NoiseSchedule, *, rho: float = 7.0) -> Sigmas:
    """Evenly spaced in ``sigma**(1 / rho)``: short steps near the clean end.

    Source: Karras et al. 2022 (arXiv:2206.00364), eq. 5.
    """
    high, low = noise_schedule.sigma_max ** (1 / rho), noise_schedule.sigma_min ** (1 / rho)
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    return _to_zero((high + ramp * (low - high)) ** rho)


@schedule("exponential")
def exponential(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced in ``log sigma``. Source: Lu et al. 2022 (arXiv:2206.00927), section 3.3."""
    high, low = log(noise_schedule.sigma_max), log(noise_schedule.sigma_min)
    return _to_zero(torch.linspace(high, low, steps, dtype=torch.float64).exp())


@schedule("ddim_uniform")
def ddim_uniform(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Every ``T // steps``-th training timestep, starting from timestep 1.

    Gives more levels than asked where ``steps`` does not divide T.
    Source: Song et al. 2021 (arXiv:2010.02502), appendix D.3 ("linear" selection).
    """
    trained = noise_schedule.sigmas
    stride = max(len(trained) // steps, 1)
    return _to_zero(trained[1::stride].flip(0))


def _to_zero(nonzero: Float[Tensor, " S"]) -> Sigmas:
    return torch.cat([nonzero, nonzero.new_zeros(1)])
