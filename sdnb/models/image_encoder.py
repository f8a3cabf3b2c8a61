"""CLIP's image encoders: what IP-Adapters see pictures with.

Files are found and read in `sdnb.models.image_encoder_file`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPImageProcessorPil

from sdnb.models.image_encoder_file import Network, read_image_encoder
from sdnb.picture import Picture

Summaries = tuple[Float[Tensor, "1 D"], Float[Tensor, "1 D"]]
Patches = tuple[Float[Tensor, "1 L D"], Float[Tensor, "1 L D"]]


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """An image encoder, and how a picture becomes what it is shown."""

    network: Network
    prepare: Any  # transformers' image processor

    @classmethod
    def read(cls, path: Path, like: Network) -> "ImageEncoder":
        """Read one in the dtype of another network, on its device."""
        network = read_image_encoder(path, like)
        side = int(network.config.image_size)
        prepare: Any = CLIPImageProcessorPil
        return cls(network, prepare(size=side, crop_size=side))

    def summaries(self, picture: Picture) -> Summaries:
        """Return a picture in short; and what stands for none, nothing."""
        seen = self.network(self._pixels(picture)).image_embeds
        return seen, torch.zeros_like(seen)

    def patches(self, picture: Picture) -> Patches:
        """Return a picture part by part, as the last layer but one sees it; and a grey one."""
        pixels = self._pixels(picture)
        shown = (pixels, torch.zeros_like(pixels))
        seen, nothing = (
            self.network(each, output_hidden_states=True).hidden_states[-2] for each in shown
        )
        return seen, nothing

    def _pixels(self, picture: Picture) -> Float[Tensor, "1 3 H W"]:
        pixels: Tensor = self.prepare(picture.open(), return_tensors="pt").pixel_values
        return pixels.to(self.network.device, self.network.dtype)
