"""Between pixels and latents."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sdnb.models.components import Components
from sdnb.models.memory import is_out_of_memory
from sdnb.models.parts import in_parts
from sdnb.shapes import Images, Latents

PIXELS = 2**21
"""Pixels in one call of the VAE unless memory says otherwise: eight pictures of 512x512."""


def decode_latents(components: Components, latents: Latents) -> Images:
    """Decode clean latents [B, C, h, w] to pixels [B, 3, H, W] in 0 … 1, float32.

    As `decode_in_parts`; the pictures are put together.
    """
    return torch.cat(list(decode_in_parts(components, latents)))


def decode_in_parts(components: Components, latents: Latents) -> Iterator[Images]:
    """Decode any number of clean latents, as many at once as fit; give pixels as they come.

    One picture that does not fit is decoded in tiles, as `sdnb.models.parts` says. Raises
    `ModelError` where memory is too small for that.
    """
    factor, decode = components.latent.factor, partial(_decode, components)
    at_once = _at_once(latents.shape[-2:].numel() * factor**2)
    return in_parts(decode, latents, at_once=at_once, read=1, write=factor)


def preview_latents(components: Components, latents: Latents) -> Images:
    """Decode clean latents in the middle of a run: where parts take turns, the U-Net stays."""
    try:
        components.join(components.vae)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise  # else it is decoded without the U-Net beside it
    return decode_latents(components, latents)


def _at_once(pixels: int) -> int:
    return max(1, PIXELS // max(1, pixels))


def _decode(components: Components, latents: Latents) -> Images:
    spec, vae = components.latent, components.vae
    components.bring(vae)
    with torch.no_grad():
        decoded = vae.decode((latents / spec.scale + spec.shift).to(vae.dtype)).sample
    images: Images = (decoded.float() / 2 + 0.5).clamp(0, 1)
    return images


def encode_images(components: Components, images: Images) -> Latents:
    """Encode pixels [B, 3, H, W] in 0 … 1 to clean latents: the posterior's mean, float32.

    As many at once as fit, in tiles if need be, as `decode_in_parts`.
    """
    factor, encode = components.latent.factor, partial(_encode, components)
    at_once = _at_once(images.shape[-2:].numel())
    return torch.cat(list(in_parts(encode, images, at_once=at_once, read=factor, write=1)))


def _encode(components: Components, images: Images) -> Float[Tensor, "B _ _ _"]:
    spec, vae = components.latent, components.vae
    components.bring(vae)
    with torch.no_grad():
        mean = vae.encode((images * 2 - 1).to(vae.device, vae.dtype)).latent_dist.mean
    latents: Tensor = (mean.float() - spec.shift) * spec.scale
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
