"""Samplers of diffusers under our contract: ``diffusers:DDIMScheduler`` is the name of one.

They stand here to be compared with. A scheduler of diffusers counts in training timesteps and
keeps its state inside; each step builds on calls in its own order, so none is shared by two runs.
"""

from collections.abc import Sequence
from functools import partial
from inspect import Parameter, Signature, signature
from math import sqrt
from typing import Any

import torch

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Sampler, Step
from sdnb.errors import InvalidField, UnknownName
from sdnb.shapes import State

# diffusers is typed in part only: schedulers, their configurations and outputs are Any here.
Scheduler = Any

LIKE_STABLE_DIFFUSION = {
    "clip_sample": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "set_alpha_to_one": True,
    "skip_prk_steps": True,
}
"""Options that differ from a scheduler's own defaults, where it has them."""

DRAWING = {
    "DDPMScheduler",
    "DDPMParallelScheduler",
    "EulerAncestralDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "LCMScheduler",
    "SASolverScheduler",
    "TCDScheduler",
}
"""Schedulers that draw noise with the options they have here."""

SET_HERE = {
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "use_flow_sigmas",
}
"""What follows from the model and is no option."""


def diffusers_sampler(class_name: str) -> Sampler:
    """Wrap a scheduler class of diffusers as a sampler with its options.

    It visits its own levels; the number of ``sigmas`` says how many, and where the class takes
    levels from outside, it is given ours. It needs a model of the epsilon or v family, is given
    the noise that model predicts, and starts from pure noise unless it takes our levels.

    Raises
    ------
    UnknownName
        Where diffusers has no such scheduler for these models.
    """
    import diffusers

    kind: Any = getattr(diffusers, class_name, None)
    if not (_is_scheduler_name(class_name) and _is_ours(kind)):
        names = [name for name in dir(diffusers) if _is_scheduler_name(name)]
        known = [name for name in names if _is_ours(getattr(diffusers, name))]
        raise UnknownName.among(
            "diffusers scheduler", class_name, known, fix="diffusers:DDIMScheduler"
        )
    function: Any = partial(_follow, kind)
    function.__doc__ = f"{class_name} of diffusers, with its own options and levels."
    function.__signature__ = _signature(kind)  # read by inspect
    return Sampler(
        name=f"diffusers:{class_name}",
        function=function,
        family="diffusers",
        order=None,
        nominal_order=None,
        stochastic=class_name in DRAWING,
        own_levels=True,
    )


def _is_scheduler_name(name: str) -> bool:
    # the others are for video, for running backwards, or for other families of models
    others = ("Flax", "Flow", "EDM", "CogVideoX")
    return name.endswith("Scheduler") and not name.startswith(others) and "Inverse" not in name


def _is_ours(kind: Any) -> bool:
    # schedulers of the epsilon and v family are told what the model predicts and how it was
    # noised; one with a seed of its own draws from the global generator without it
    if not isinstance(kind, type):
        return False
    known = set(signature(kind).parameters)
    return {"prediction_type", "trained_betas"} <= known and "noise_sampler_seed" not in known


def _signature(kind: Any) -> Signature:
    arguments = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("x", "sigmas", "noise")
    ]
    options = [
        Parameter(
            entry.name,
            Parameter.KEYWORD_ONLY,
            default=LIKE_STABLE_DIFFUSION.get(entry.name, entry.default),
        )
        for entry in signature(kind).parameters.values()
        if entry.name not in SET_HERE and entry.kind is Parameter.POSITIONAL_OR_KEYWORD
    ]
    clock = Parameter("noise_schedule", Parameter.KEYWORD_ONLY)
    return Signature([*arguments, *options, clock])


def _follow(
    kind: Any,
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    noise_schedule: NoiseSchedule,
    **options: Any,
) -> Proposals:
    scheduler = _make(kind, noise_schedule, options)
    # its samples are x0 + sigma * eps, as ours; the others' have unit variance
    is_exploding = float(scheduler.init_noise_sigma) > 1.5
    _set_levels(scheduler, sigmas, noise_schedule, is_exploding=is_exploding)
    level = partial(_level, scheduler, noise_schedule, is_exploding=is_exploding)
    timesteps = list(scheduler.timesteps)
    sigma = level(timesteps[0])
    # unit noise, whatever the level it is said to have
    x = x * (sqrt(1 + sigma**2) / sqrt(1 + sigmas[0] ** 2))
    for i, t in enumerate(timesteps):
        denoised = yield Evaluate(x, sigma)
        eps = (x - denoised) / sigma
        sample = x / _scale(sigma, is_exploding=is_exploding)
        moved = scheduler.step(eps, t, sample, **_draws(scheduler, noise, sigma))
        sigma = level(timesteps[i + 1]) if i + 1 < len(timesteps) else _last(scheduler)
        x = yield Step(
            denoised, moved.prev_sample.to(x) * _scale(sigma, is_exploding=is_exploding), sigma
        )


def _make(kind: Any, noise_schedule: NoiseSchedule, options: dict[str, Any]) -> Scheduler:
    kept = noise_schedule.alphas_cumprod
    betas = 1 - kept / torch.cat([kept.new_ones(1), kept[:-1]])
    known = signature(kind).parameters
    usual = {name: value for name, value in LIKE_STABLE_DIFFUSION.items() if name in known}
    try:
        return kind(
            **{**usual, **options},
            num_train_timesteps=len(kept),
            trained_betas=betas.numpy(),
            prediction_type="epsilon",
        )
    except (NotImplementedError, TypeError, ValueError) as error:
        raise _refused(kind, error, options) from error


def _set_levels(
    scheduler: Scheduler,
    sigmas: Sequence[float],
    noise_schedule: NoiseSchedule,
    *,
    is_exploding: bool,
) -> None:
    if is_exploding and "sigmas" in signature(scheduler.set_timesteps).parameters:
        scheduler.set_timesteps(sigmas=list(sigmas))
        return
    if sigmas[0] < noise_schedule.sigma_max * 0.8:
        raise InvalidField(
            f"{type(scheduler).__name__} starts from pure noise only: its levels are its own.",
            given=f"a start at sigma {sigmas[0]:.3g}",
            allowed=f"denoise=1, sigma {noise_schedule.sigma_max:.3g}",
            fix="use one of sdnb's samplers, or diffusers:EulerDiscreteScheduler",
        )
    try:
        scheduler.set_timesteps(len(sigmas) - 1)
    except ValueError as error:
        raise _refused(type(scheduler), error, f"{len(sigmas) - 1} steps") from error


def _level(
    scheduler: Scheduler, noise_schedule: NoiseSchedule, t: Any, *, is_exploding: bool
) -> float:
    # sigma at which the scheduler wants its next answer
    if is_exploding:
        scale = float(scheduler.scale_model_input(torch.ones((), dtype=torch.float64), t))
        return sqrt(1 / scale**2 - 1)
    if hasattr(scheduler, "sigmas"):
        return float(scheduler.sigmas[scheduler.step_index or 0])
    return noise_schedule.sigma(float(t))


def _scale(sigma: float, *, is_exploding: bool) -> float:
    return 1.0 if is_exploding else sqrt(1 + sigma**2)


def _refused(kind: Any, error: Exception, given: object) -> InvalidField:
    return InvalidField(
        f"{kind.__name__} of diffusers cannot be run so: {error}",
        given=given,
        allowed="what its documentation lists",
        fix=f"%sd help diffusers:{kind.__name__} shows its options",
    )


def _last(scheduler: Scheduler) -> float:
    return float(scheduler.sigmas[-1]) if hasattr(scheduler, "sigmas") else 0.0


def _draws(scheduler: Scheduler, noise: Noise, sigma: float) -> dict[str, list[torch.Generator]]:
    # a generator for each image, seeded from the image's own noise
    if "generator" not in signature(scheduler.step).parameters:
        return {}
    bits = noise(sigma, sigma / 2).flatten(1)[:, 0].float().cpu().view(torch.int32).tolist()
    return {"generator": [torch.Generator().manual_seed(seed % 2**32) for seed in bits]}
