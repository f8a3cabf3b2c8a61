"""How a run begins: at which levels, and with what latents."""

from math import sqrt

import torch

from sdnb.diffusion.forward import add_noise
from sdnb.diffusion.noise import start_noise
from sdnb.diffusion.samplers.contract import Sampler
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField
from sdnb.models.components import Components
from sdnb.models.vae import encode_images, from_pil
from sdnb.picture import FromImage, FromNoise, Start
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.shapes import Latents


def plan_levels(components: Components, request: GenerationRequest) -> list[float]:
    """Return the levels, [S + 1] falling to 0, that a request's sampler is given.

    Raises `InvalidField` where the schedule gives none, and for a batch with a sampler that
    chooses its steps for each image.
    """
    sampler: Sampler = SAMPLERS[request.sampler.name]
    if sampler.adaptive and request.batch_size > 1:
        raise InvalidField(
            f"{sampler.name} chooses its steps by the error it sees, for each image others.",
            given=f"batch_size={request.batch_size}",
            allowed="batch_size=1",
            fix="run it once for each seed",
        )
    levels: list[float] = sigmas(
        request.schedule.name,
        request.steps,
        noise_schedule=components.noise_schedule,
        denoise=request.denoise,
        discard_penultimate=sampler.discard_penultimate,
        **dict(request.schedule.options),
    ).tolist()
    return levels


def begin(
    components: Components,
    start: Start,
    seeds: tuple[int, ...],
    size: tuple[int, int],
    sigma: float,
) -> Latents:
    """Return the latents [B, C, h, w] that a run starts from, float32 on the network's device.

    At the noisiest level pure noise gets the variance of noised data, ``1 + sigma**2``; below
    it the noise is added to the picture's latents (to zeros, where there is no picture).

    Parameters
    ----------
    size : (width, height)
        In pixels; a picture of another size is resized.
    sigma : float
        The run's first level.
    """
    spec, (width, height) = components.latent, size
    shape = (spec.channels, height // spec.factor, width // spec.factor)
    eps = start_noise(seeds, shape).to(components.device)
    full = sigma >= components.noise_schedule.sigma_max * (1 - 1e-5)
    noised = add_noise(torch.zeros_like(eps), eps, sqrt(1 + sigma**2) if full else sigma)
    match start:
        case FromNoise():
            return noised
        case FromImage(picture):
            pixels = from_pil([picture.open().resize(size)])
            return noised + encode_images(components, pixels).to(noised)
