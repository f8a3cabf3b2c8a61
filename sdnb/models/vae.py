"""Between pixels and latents."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from sdnb.models.components import Components
from sdnb.shapes import Images, Latents


def decode_latents(components: Components, latents: Latents) -> Images:
    """Decode clean latents [B, C, h, w] to pixels [B, 3, H, W] in 0 … 1, float32."""
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
