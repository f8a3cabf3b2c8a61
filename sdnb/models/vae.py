"""Between pixels and latents."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image

from sdnb.models.components import Components
from sdnb.models.memory import is_out_of_memory, too_large
from sdnb.shapes import Images, Latents

DECODED_PIXELS = 2**21
"""Pixels that are decoded in one call unless memory says otherwise: eight pictures of 512x512."""


def decode_latents(components: Components, latents: Latents) -> Images:
    """Decode clean latents [B, C, h, w] to pixels [B, 3, H, W] in 0 … 1, float32.

    As `decode_in_parts`; the pictures are put together.
    """
    return torch.cat(list(decode_in_parts(components, latents)))


def decode_in_parts(components: Components, latents: Latents) -> Iterator[Images]:
    """Decode any number of clean latents, as many at once as fit; give pixels as they come.

    Half as many at once whenever memory turns out to be too small. Raises `ModelError` where it
    is too small for one.
    """
    pixels = latents.shape[-2:].numel() * components.latent.factor**2
    at_once = max(1, DECODED_PIXELS // max(1, pixels))
    while len(latents):
        some = latents[:at_once]
        try:
            images = _decode(components, some)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(some) == 1:
                raise too_large(some, error) from error
            at_once = len(some) // 2
        else:
            yield images
            latents = latents[at_once:]


def _decode(components: Components, latents: Latents) -> Images:
    spec, vae = components.latent, components.vae
    with torch.no_grad():
        decoded = vae.decode((latents / spec.scale + spec.shift).to(vae.dtype)).sample
    images: Images = (decoded.float() / 2 + 0.5).clamp(0, 1)
    return images


def encode_images(components: Components, images: Images) -> Latents:
    """Encode pixels [B, 3, H, W] in 0 … 1 to clean latents: the posterior's mean, float32."""
    spec, vae = components.latent, components.vae
    with torch.no_grad():
        mean = vae.encode((images * 2 - 1).to(vae.device, vae.dtype)).latent_dist.mean
    latents: Latents = (mean.float() - spec.shift) * spec.scale
    return latents


def to_pil(images: Images) -> list[Image.Image]:
    """Turn pixels in 0 … 1 into PIL images."""
    pixels = (images * 255).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in pixels]


def from_pil(pictures: Sequence[Image.Image]) -> Images:
    """Turn PIL images of one size into pixels [B, 3, H, W] in 0 … 1, float32 on the CPU."""
    pixels = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    # a run's latents would keep the order of these in memory, and kernels round by it
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous().float() / 255
