"""How latents begin: noise alone, or a picture's latents with noise on top."""

from math import sqrt

import torch

from sdnb.diffusion.forward import add_noise
from sdnb.diffusion.noise import start_noise
from sdnb.models.components import Components
from sdnb.models.vae import encode_images, from_pil
from sdnb.picture import FromImage, FromNoise, Start
from sdnb.shapes import Latents


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
