"""The VAE: 128x128 pictures to 4x16x16 latents of zero mean and unit variance, and back.

Here are its size, its training losses and its use; how its latents are made white is in
``whitening``.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from random import Random
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from sdnb.shapes import Latents
from sdnb.training.computing import precision
from sdnb.training.dataset import sample_crops, to_images
from sdnb.training.loop import LossOfStep, Part
from sdnb.training.loss import pixel_loss, psnr, vae_loss
from sdnb.training.world import SIDE

# diffusers is untyped and takes seconds to load: its models are Any, its import is late.
Autoencoder = Any

LATENT_NOISE = 0.05
"""Deviation of the noise that the decoder learns to forgive, beside latents of 1."""

BATCH_PIXELS = 16 * 64 * 64
WHOLE_PICTURES_FROM = 0.6
"""Share of the training after which crops give way to whole pictures."""


def make_autoencoder(channels: tuple[int, ...] = (24, 32, 64, 96)) -> Autoencoder:
    """An untrained AutoencoderKL of factor 8 without attention."""
    diffusers: Any = import_module("diffusers")
    levels = len(channels)
    model = diffusers.AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=128,
        scaling_factor=1.0,
    )
    return model.to(memory_format=torch.channels_last)


def autoencoder_loss(
    model: Autoencoder, pictures: UInt8[np.ndarray, "N H W 3"], *, seed: int, parts: int = 1
) -> LossOfStep:
    """Loss of step after step: crops first, whole pictures in the last part.

    Group normalisation measures a crop otherwise than a whole picture, so the last
    part shows the network what it will meet in use.
    """

    def loss_of(step: int, progress: float) -> list[Part]:
        side = 64 if progress < WHOLE_PICTURES_FROM else 128
        random = Random(f"crops {seed} {step}")
        crops = sample_crops(pictures, BATCH_PIXELS // side**2, side, random).chunk(parts)
        noises = [torch.Generator().manual_seed(random.getrandbits(48)) for _ in crops]
        return [
            partial(reconstruction_loss, model, images, noise, 1 / len(crops))
            for images, noise in zip(crops, noises, strict=True)
        ]

    return loss_of


def reconstruction_loss(
    model: Autoencoder, images: Float[Tensor, "B 3 H W"], noise: torch.Generator, share: float
) -> Float[Tensor, ""]:
    """``share`` of the VAE's loss on some images, with latents drawn from ``noise``."""
    device = next(model.parameters()).device
    images = images.to(device).contiguous(memory_format=torch.channels_last)
    with precision(device):
        posterior = model.encode(images).latent_dist
        decoded = model.decode(posterior.sample(noise)).sample
    return share * vae_loss(decoded, images, posterior.mean.float(), posterior.logvar.float())


@dataclass(frozen=True, kw_only=True)
class PicturedLatents:
    """The data set as the decoder sees it: latents of scenes and their pictures.

    ``weights`` tells how much the pixels of each latent count. A step is split into
    ``parts``.
    """

    latents: Latents
    pictures: UInt8[np.ndarray, "N H W 3"]
    weights: Float[Tensor, "N 1 h w"]
    seed: int
    parts: int = 1

    def draw(self, step: int) -> Iterator[tuple[Tensor, ...]]:
        """Noised latents, images and weights of each part; the step seeds what is random.

        A little noise keeps the decoder forgiving of latents that a U-Net made.
        """
        random = Random(f"decoder {self.seed} {step}")
        noise = torch.Generator().manual_seed(random.getrandbits(48))
        numbers = [random.randrange(len(self.latents)) for _ in range(BATCH_PIXELS // SIDE**2)]
        chosen = self.latents[numbers]
        noised = chosen + LATENT_NOISE * torch.randn(chosen.shape, generator=noise)
        drawn = noised, to_images(self.pictures[numbers]), self.weights[numbers]
        return zip(*(tensor.chunk(self.parts) for tensor in drawn), strict=True)


def decoder_loss(model: Autoencoder, data: PicturedLatents) -> LossOfStep:
    """Loss of step after step for the decoder alone, on finished latents.

    The latents stay as they are, so the decoder may learn on whatever was trained on them.
    """
    return lambda step, _progress: [
        partial(decoding_loss, model, *drawn, share=SIDE**2 * len(drawn[0]) / BATCH_PIXELS)
        for drawn in data.draw(step)
    ]


def decoding_loss(
    model: Autoencoder,
    latents: Latents,
    images: Float[Tensor, "B 3 H W"],
    weight: Float[Tensor, "B 1 h w"],
    *,
    share: float,
) -> Float[Tensor, ""]:
    """``share`` of the pixel loss of decoded latents."""
    device = next(model.parameters()).device
    latents = latents.to(device).contiguous(memory_format=torch.channels_last)
    weight = interpolate(weight.to(device), images.shape[-2:])
    with precision(device):
        decoded = model.decode(latents).sample
    return share * pixel_loss(decoded, images.to(device), weight)


@torch.no_grad()
def encode_batch(model: Autoencoder, pictures: UInt8[np.ndarray, "B H W 3"]) -> Latents:
    """Latents of some pictures: the means of their posteriors, in the VAE's own scale."""
    images = to_images(pictures).to(next(model.parameters()).device)
    images = images.contiguous(memory_format=torch.channels_last)
    mean: Tensor = model.encode(images).latent_dist.mean
    return mean.float().cpu()


def encode_pictures(
    model: Autoencoder, pictures: UInt8[np.ndarray, "N H W 3"], *, workers: int = 1
) -> Latents:
    """Latents of many pictures, batch by batch in some threads."""
    batches = [pictures[start : start + 16] for start in range(0, len(pictures), 16)]
    with ThreadPoolExecutor(workers) as pool:
        return torch.cat(list(pool.map(partial(encode_batch, model), batches)))


@torch.no_grad()
def decode_latents(
    model: Autoencoder, latents: Latents, batch: int = 16
) -> Iterator[Float[Tensor, "B 3 H W"]]:
    """Images of latents, from -1 to 1, batch by batch."""
    parameter = next(model.parameters())
    for part in torch.split(latents, batch):
        yield model.decode(part.to(parameter)).sample.float().clamp(-1, 1).cpu()


def measure_psnr(model: Autoencoder, pictures: UInt8[np.ndarray, "N H W 3"]) -> float:
    """PSNR in dB of pictures that went through encoder and decoder."""
    decoded = torch.cat(list(decode_latents(model, encode_pictures(model, pictures))))
    return psnr(decoded, to_images(pictures))
