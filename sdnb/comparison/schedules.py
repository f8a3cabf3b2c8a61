"""What a schedule's levels mean: timestep, signal-to-noise ratio, and how a picture looks there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image

from sdnb.choice import Choice
from sdnb.diffusion.forward import add_noise
from sdnb.diffusion.noise import start_noise
from sdnb.diffusion.noise_schedules import NoiseSchedule, scaled_linear
from sdnb.diffusion.prediction import input_scale
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.models.vae import decode_latents, encode_images, from_pil, to_pil
from sdnb.pipeline import Pipeline
from sdnb.registry import SCHEDULES


@dataclass(frozen=True, kw_only=True)
class ScheduleCurve:
    """The levels of a sigma schedule, with the (fractional) training timestep of each.

    Parameters
    ----------
    name : str
        With its options: ``"karras rho=5"``.
    sigmas, timesteps : tuple of float, [S + 1]
        The last level is 0.
    """

    name: str
    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class NoiseCurve:
    """A model's noise schedule, by training timestep.

    Parameters
    ----------
    pictures : tuple of Noised
        One picture at rising noise levels, evenly spaced in time; may be empty.
    """

    alphas_cumprod: tuple[float, ...]
    sigmas: tuple[float, ...]
    pictures: tuple["Noised", ...] = ()


@dataclass(frozen=True, eq=False)
class Noised:
    """A picture as the network is shown it at one noise level."""

    t: int
    sigma: float
    image: Image


def describe_schedules(
    schedules: Sequence[str] | None = None,
    steps: int = 20,
    *,
    noise_schedule: NoiseSchedule | None = None,
) -> tuple[ScheduleCurve, ...]:
    """Return the levels of sigma schedules.

    Parameters
    ----------
    schedules : sequence of str, optional
        Names with their options; all registered ones (but ``custom``, which has no levels of
        its own) if not given.
    noise_schedule : NoiseSchedule, optional
        The model's; Stable Diffusion's if not given.
    """
    if schedules is None:
        schedules = [name for name in SCHEDULES.names() if name != "custom"]
    clock = noise_schedule or scaled_linear()
    return tuple(_curve(Choice.parse(text), steps, clock) for text in dict.fromkeys(schedules))


def _curve(choice: Choice, steps: int, clock: NoiseSchedule) -> ScheduleCurve:
    options: dict[str, Any] = dict(choice.options)
    levels = sigmas(choice.name, steps, noise_schedule=clock, **options).tolist()
    return ScheduleCurve(
        name=str(choice), sigmas=tuple(levels), timesteps=tuple(clock.t(level) for level in levels)
    )


def describe_noise(
    noise_schedule: NoiseSchedule | None = None, pictures: Sequence[Noised] = ()
) -> NoiseCurve:
    """Return a model's noise schedule; Stable Diffusion's if not given."""
    clock = noise_schedule or scaled_linear()
    return NoiseCurve(
        alphas_cumprod=tuple(clock.alphas_cumprod.tolist()),
        sigmas=tuple(clock.sigmas.tolist()),
        pictures=tuple(pictures),
    )


def noise_picture(pipe: Pipeline, picture: Image, count: int = 8, seed: int = 0) -> list[Noised]:
    """Return a picture at ``count`` noise levels, evenly spaced over training's time.

    The noise is added where the model works: to the picture's latents. They are brought to unit
    variance, as the network is shown them, and decoded; so the look is the decoder's, and at the
    end it is that of pure noise.

    Parameters
    ----------
    picture : PIL image
        Of any size; it is scaled to the checkpoint's.
    """
    parts, clock = pipe.components, pipe.components.noise_schedule
    pixels = from_pil([picture.resize((parts.size, parts.size))])
    x0 = encode_images(parts, pixels)
    eps = start_noise((seed,), tuple(x0.shape[1:])).to(x0)
    total = len(clock.alphas_cumprod)
    timesteps = [round((index + 0.5) * total / count) for index in range(count)]
    levels = [clock.sigma(float(t)) for t in timesteps]
    scaled = [add_noise(x0, eps, level) * input_scale(level) for level in levels]
    images = to_pil(decode_latents(parts, torch.cat(scaled).to(x0)))
    return [Noised(*each) for each in zip(timesteps, levels, images, strict=True)]
