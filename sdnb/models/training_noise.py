"""The noise of a network's training, from what diffusers' schedulers are configured with."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sdnb.diffusion.noise_schedules import (
    NoiseSchedule,
    linear,
    rescale_to_zero_snr,
    scaled_linear,
    squaredcos_cap_v2,
)
from sdnb.diffusion.prediction import PREDICTIONS
from sdnb.errors import LoadError

SETTINGS = (
    "prediction_type",
    "rescale_betas_zero_snr",
    "beta_schedule",
    "beta_start",
    "beta_end",
    "num_train_timesteps",
)
"""What may be said of the noise of a network's training, in diffusers' words."""

# diffusers' name for it -> ours; its configuration names both ends for the cosine too, unused.
BETA_SCHEDULES: Mapping[str, Callable[[int, float, float], NoiseSchedule]] = MappingProxyType(
    {
        "scaled_linear": scaled_linear,
        "linear": linear,
        "squaredcos_cap_v2": lambda T, _start, _end: squaredcos_cap_v2(T),
    }
)


def noise_of(scheduler: Mapping[str, Any]) -> tuple[NoiseSchedule, str]:
    """Return the noise of a network's training and what it predicts.

    Parameters
    ----------
    scheduler : mapping
        The configuration of one of diffusers' schedulers.

    Raises `LoadError` for what is not known.
    """
    return _noise_schedule(scheduler), _prediction(scheduler)


def _noise_schedule(scheduler: Mapping[str, Any]) -> NoiseSchedule:
    name = scheduler.get("beta_schedule", "scaled_linear")
    own = ["trained_betas"] if scheduler.get("trained_betas") else []
    if name not in BETA_SCHEDULES or own:
        raise LoadError(
            "this noise schedule is not known.",
            given=", ".join([name, *own]),
            allowed=", ".join(BETA_SCHEDULES),
            fix="load a checkpoint with one of these",
        )
    try:
        ends = (scheduler["num_train_timesteps"], scheduler["beta_start"], scheduler["beta_end"])
        schedule = BETA_SCHEDULES[name](*ends)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise LoadError(
            f"the noise schedule is not told: {error}",
            given=", ".join(f"{key}={value}" for key, value in scheduler.items()),
            allowed="num_train_timesteps, a whole number; beta_start and beta_end, under 1",
            fix="look into scheduler/scheduler_config.json",
        ) from error
    return rescale_to_zero_snr(schedule) if scheduler.get("rescale_betas_zero_snr") else schedule


def _prediction(scheduler: Mapping[str, Any]) -> str:
    name = str(scheduler.get("prediction_type", "epsilon"))
    if name not in PREDICTIONS:
        raise LoadError(
            "this prediction type is not known.",
            given=name,
            allowed=", ".join(PREDICTIONS),
            fix="look into scheduler/scheduler_config.json",
        )
    return name
