"""What a checkpoint consists of, whatever it was loaded from."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.errors import InvalidField
from sdnb.lora import Lora
from sdnb.models.controlnet import ControlNets
from sdnb.models.embeddings import Embeddings
from sdnb.models.encoded import EncodedTexts
from sdnb.models.families.family import Family, TextSpec
from sdnb.models.ip_adapter import IPAdapters
from sdnb.models.lora import Adapters
from sdnb.models.offload import Offload
from sdnb.models.recipe import Recipe

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
class TextEncoder:
    """A text encoder with its tokenizer, the id of its padding, and what of it the U-Net reads."""

    tokenizer: Tokenizer
    pad: int
    network: Network
    spec: TextSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class Components:
    """Networks and what has to be known about them.

    Parameters
    ----------
    recipe : Recipe
        How it was loaded.
    reference : str
        What it was loaded from.
    sha256 : str
        Of what was loaded, in hexadecimal.
    family : Family
        What it has in common with others.
    texts : tuple of TextEncoder
        In the order in which the U-Net reads them; one in most families.
    scheduler : mapping
        How the noise of training was, in diffusers' words.
    prediction : str
        A name of `sdnb.diffusion.prediction.PREDICTIONS`.
    size : int
        Pixels of a side in training.
    words : frozenset of str, or None
        All the words a small model knows; None where any text may be tried.
    compiled : network or None
        The U-Net compiled, for questions that neither look inside it nor want gradients.
    offload : Offload or None
        By whom networks take turns on the device; None where all of them are there.
    """

    recipe: Recipe
    reference: str
    sha256: str
    family: Family
    texts: tuple[TextEncoder, ...]
    unet: Network
    vae: Network
    scheduler: Mapping[str, Any]
    noise_schedule: NoiseSchedule
    prediction: str
    latent: LatentSpec
    size: int
    words: frozenset[str] | None
    compiled: Network | None = None
    offload: Offload | None = None

    # Asking a network walks through all of its weights: a millisecond a step, if asked each time.
    @cached_property
    def device(self) -> torch.device:
        """Where the networks compute, decided when they were loaded."""
        return torch.device(self.unet.device) if self.offload is None else self.offload.device

    def with_compiled_unet(self) -> "Components":
        """Return the same with its U-Net compiled; see `Pipeline.compiled`."""
        if self.offload is not None:
            raise InvalidField(
                "a U-Net whose weights come and go cannot be compiled.",
                given="offload=True",
                allowed="either of the two",
                fix="load it without offload (--offload), or do not compile it (--compile)",
            )
        return replace(self, compiled=torch.compile(self.unet, mode="reduce-overhead"))

    def bring(self, *networks: Network) -> None:
        """Have networks on the device before they are asked; offloaded, others leave for them."""
        if self.offload is not None and self.offload.bring(*networks):
            self.adapters.forget()  # what was merged of weights that left would stay there

    def reading(self, loras: Sequence[Lora]) -> AbstractContextManager[None]:
        """Let the text encoders wear resolved LoRAs in a block, merged where they compute."""
        self.bring(*(encoder.network for encoder in self.texts))
        return self.adapters.in_text(loras)

    def join(self, network: Network) -> None:
        """Have a network on the device beside those that compute."""
        if self.offload is not None:
            self.offload.join(network)

    @cached_property
    def adapters(self) -> Adapters:
        """What LoRAs make of the networks."""
        texts = {encoder.spec.folder: encoder.network for encoder in self.texts}
        return Adapters({"unet": self.unet, **texts})

    @cached_property
    def embeddings(self) -> Embeddings:
        """What prompts may name beside the words of the vocabulary."""
        widths = {each.spec.folder: each.network.config.hidden_size for each in self.texts}
        return Embeddings(widths, allow_pickle=self.recipe.allow_pickle)

    @cached_property
    def encoded(self) -> EncodedTexts:
        """What the text encoders were asked before."""
        address = Tensor.data_ptr if self.offload is None else self.offload.address
        return EncodedTexts([encoder.network for encoder in self.texts], address)

    @cached_property
    def controlnets(self) -> ControlNets:
        """What steers the U-Net."""
        return ControlNets(self.unet, self.latent.factor)

    @cached_property
    def ip_adapters(self) -> IPAdapters:
        """What shows pictures to the U-Net beside the text."""
        return IPAdapters(self.unet, is_small=self.words is not None, offload=self.offload)

    @cached_property
    def is_told_guidance(self) -> bool:
        """Whether the U-Net is told the guidance, and gives a guided answer to the text alone."""
        return self.unet.config.time_cond_proj_dim is not None

    @cached_property
    def dtype(self) -> torch.dtype:
        """In which the U-Net computes, decided when it was loaded."""
        dtype: torch.dtype = self.unet.dtype
        return dtype

    @property
    def computing(self) -> dict[str, str]:
        """What the last bits of a picture depend on, beside the libraries."""
        return {
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "threads": str(torch.get_num_threads()),
        }

    @property
    def _manner(self) -> list[str]:
        said = {"compiled": self.compiled, "offloaded: a part at a time": self.offload}
        return [name for name, there in said.items() if there is not None]

    def info(self) -> dict[str, str]:
        """Return what is known about the checkpoint, as words."""
        levels = self.noise_schedule
        texts = [encoder.network for encoder in self.texts]
        names = ["text encoder"] if len(texts) == 1 else ["text encoder 1", "text encoder 2"]
        networks = {"U-Net": self.unet, "VAE": self.vae, **dict(zip(names, texts, strict=True))}
        return {
            "checkpoint": self.reference,
            "family": self.family.name,
            "hash": self.sha256[:10],
            "size": f"{self.size}x{self.size}",
            "latents": f"{self.latent.channels} channels, factor {self.latent.factor}",
            "prediction": self.prediction,
            "sigmas": f"{levels.sigma_min:.4g} … {levels.sigma_max:.4g}",
            "device": ", ".join([str(self.device), str(self.dtype), *self._manner]),
            **{name: _size(network) for name, network in networks.items()},
            "words": "any" if self.words is None else ", ".join(sorted(self.words)),
        }


def _size(network: Network) -> str:
    weights = list(network.parameters())
    count = sum(weight.numel() for weight in weights)
    taken = sum(weight.numel() * weight.element_size() for weight in weights)
    return f"{count / 1e6:.1f} M weights, {taken / 2**20:.0f} MiB"
