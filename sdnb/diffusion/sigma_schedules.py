"""Sigma schedules of sampling: which noise levels a run of S steps visits, ``[S + 1]`` down to 0.

A schedule is a function ``(steps, noise_schedule, **options) -> Tensor`` in float64 whose last
level is 0; `sigmas` adds what is common to all. The schedules themselves are in `levels_by_sigma`,
`levels_by_timestep`, `align_your_steps` and `custom_sigmas`; training's are in `noise_schedules`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.errors import InvalidField
from sdnb.registry import NOISE_SCHEDULES, SCHEDULES
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
    noise_schedule: NoiseSchedule | str | None = None,
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
    noise_schedule : NoiseSchedule or str, optional
        The model's, or a registered name; Stable Diffusion's if not given.
    denoise : float
        Over 0, up to 1: only the last ``steps`` of ``int(steps / denoise)`` steps are kept. As in
        ComfyUI that is the whole run where both numbers are the same (5 steps at 0.9), and more
        than the share where the schedule gives fewer levels (``beta``).
    discard_penultimate : bool
        Compute one step more and leave out the level before 0, as second-order methods with a
        midpoint are used in practice.
    **options
        The schedule's own: ``rho=7``.

    Returns
    -------
    Tensor [S + 1]
        Float64, falling to 0 (``ddim_uniform`` gives more levels where S does not divide T,
        ``beta`` fewer where timesteps coincide, ``custom`` those of its list).

    Raises
    ------
    InvalidField
        Where the schedule cannot be spread over so many steps, gives levels that do not fall, or
        so few that nothing of ``denoise`` would be left.
    """
    model = _model_of(noise_schedule)
    if schedule == "custom" and not callable(options.get("sigmas")):
        _check_whole(denoise, options)
        return _computed(schedule, steps, model, options)
    _check_spread(steps, denoise, len(model.alphas_cumprod))
    whole = int(steps / denoise)
    levels = _computed(schedule, whole + discard_penultimate, model, options)
    if discard_penultimate and len(levels) > 2:  # else the one before 0 is the first
        levels = torch.cat([levels[:-2], levels[-1:]])
    if len(levels) - 1 <= steps < whole:
        raise InvalidField(
            f"the schedule {schedule} gives too few different levels for a part of them.",
            given={"steps": steps, "denoise": denoise},
            allowed=f"fewer steps than its {len(levels) - 1} levels",
            fix="fewer steps, or another schedule",
        )
    return levels if denoise == 1 else levels[-(steps + 1) :]


def _model_of(noise_schedule: NoiseSchedule | str | None) -> NoiseSchedule:
    if isinstance(noise_schedule, NoiseSchedule):
        return noise_schedule
    made: NoiseSchedule = NOISE_SCHEDULES[noise_schedule or "scaled_linear"]()
    return made


def _check_spread(steps: int, denoise: float, most: int) -> None:
    if not (steps >= 1 and 0 < denoise <= 1 and steps / denoise <= most):
        raise InvalidField(
            "a schedule cannot be spread over so many steps.",
            given={"steps": steps, "denoise": denoise},
            allowed=f"steps from 1, denoise over 0 and up to 1, steps / denoise up to {most}",
            fix="fewer steps, or a larger denoise",
        )


def _check_whole(denoise: float, options: Mapping[str, Any]) -> None:
    if denoise != 1:
        raise InvalidField(
            "a list of levels says itself where the run begins.",
            given={"denoise": denoise, **options},
            allowed="denoise 1",
            fix="leave denoise out, and begin the list at a lower level",
        )


def _computed(
    schedule: str, steps: int, noise_schedule: NoiseSchedule, options: Mapping[str, Any]
) -> Sigmas:
    try:
        made = SCHEDULES.bind(schedule, options)(steps, noise_schedule)
        levels: Sigmas = torch.as_tensor(made, dtype=torch.float64)
        fall = bool(levels.isfinite().all() and (levels.diff() < 0).all())
    except ArithmeticError:  # of Python's numbers: rho = 0; tensors give NaN
        fall = False
    if not (fall and len(levels) > 1 and levels[-1] == 0):
        raise InvalidField(
            f"the schedule {schedule} gives levels that do not fall to 0.",
            given={"steps": steps, **options},
            allowed="two finite levels or more, each under the one before, the last one 0",
            fix="fewer steps, or other options",
        )
    return levels


def to_zero(nonzero: Float[Tensor, " S"]) -> Sigmas:
    """Append the level 0, at which every run ends."""
    return torch.cat([nonzero, nonzero.new_zeros(1)])
