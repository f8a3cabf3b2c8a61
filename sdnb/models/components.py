"""What a checkpoint consists of, whatever it was loaded from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.models.lora import Adapters

# diffusers' and transformers' classes are only partly typed, and every family brings others.
Network = Any
Tokenizer = Any


@dataclass(frozen=True)
class LatentSpec:
    """The latent space: channels, pixels per latent along a side, and its normalisation.

    ``latents = (encoded - shift) * scale``.
    """

    channels: int
    factor: int
    scale: float
    shift: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Components:
    """Networks and what has to be known about them.

    Parameters
    ----------
    reference : str
        What it was loaded from.
    prediction : str
        A name of `sdnb.diffusion.prediction.PREDICTIONS`.
    size : int
        Pixels of a side in training.
    words : frozenset of str, or None
        All the words a small model knows; None where any text may be tried.
    """

    reference: str
    tokenizer: Tokenizer
    text_encoder: Network
    unet: Network
    vae: Network
    noise_schedule: NoiseSchedule
    prediction: str
    latent: LatentSpec
    size: int
    words: frozenset[str] | None

    # Asking a network walks through all of its weights: a millisecond a step, if asked each time.
    @cached_property
    def device(self) -> torch.device:
        """Where the networks live, decided when they were loaded."""
        return torch.device(self.unet.device)

    @cached_property
    def adapters(self) -> Adapters:
        """What LoRAs make of the networks."""
        return Adapters({"unet": self.unet, "text_encoder": self.text_encoder})

    @cached_property
    def dtype(self) -> torch.dtype:
        """In which the U-Net computes, decided when it was loaded."""
        dtype: torch.dtype = self.unet.dtype
        return dtype
