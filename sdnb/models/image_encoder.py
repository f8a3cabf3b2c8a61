"""CLIP's image encoders: what IP-Adapters see pictures with."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from sdnb.errors import LoadError
from sdnb.models.model_folders import model_folders
from sdnb.models.weights import said_clearly
from sdnb.picture import Picture

FOLDER = "image_encoder"
"""What the folder of an image encoder is called, beside an IP-Adapter and in a pipeline's."""

# transformers' networks are only partly typed
Network = Any
Config = dict[str, Any]

Summaries = tuple[Float[Tensor, "1 D"], Float[Tensor, "1 D"]]
Patches = tuple[Float[Tensor, "1 L D"], Float[Tensor, "1 L D"]]


@dataclass(frozen=True, eq=False)
class ImageEncoder:
    """An image encoder, and how a picture becomes what it is shown."""

    network: Network
    prepare: Any  # transformers' image processor

    @classmethod
    def read(cls, folder: Path, like: Network) -> "ImageEncoder":
        """Read one in the dtype of another network, on its device."""
        kind: Any = CLIPVisionModelWithProjection
        with said_clearly(folder):
            network = kind.from_pretrained(
                folder, dtype=like.dtype, local_files_only=True, use_safetensors=True
            )
        side = int(network.config.image_size)
        prepare: Any = CLIPImageProcessorPil
        network = network.to(like.device).eval().requires_grad_(False)
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


@dataclass(frozen=True)
class Found:
    """The folder of an image encoder, and the sizes and times of its files: others are another."""

    folder: Path
    state: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, folder: Path) -> "Found":
        """Note an encoder as it is now."""
        files = sorted([folder / "config.json", *folder.glob("*.safetensors")])
        states = [(file.name, file.stat()) for file in files]
        return cls(folder, tuple((name, at.st_size, at.st_mtime_ns) for name, at in states))


def find_image_encoder(adapter: Path, width: int, *, reads_summary: bool) -> Found:
    """Return the image encoder that an IP-Adapter was trained with.

    That is the first whose vectors have ``width`` values, near the adapter's file (beside it, or
    in a folder beside its own) or in a model folder. Raises `LoadError` where there is none.
    """
    key = "projection_dim" if reads_summary else "hidden_size"
    others = []
    for folder in _image_encoders(adapter):
        try:
            config: Config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            found = config[key]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if found == width:
            return Found.of(folder)
        others.append(f"{folder} ({key} {found})")
    raise LoadError(
        "the image encoder that this IP-Adapter sees with was not found.",
        given=f"{adapter}; " + (f"these are others: {', '.join(others)}" if others else "none"),
        allowed=f"a folder {FOLDER} as it was published with the adapter, of {key} {width}",
        fix=f"put it beside the adapter's file, or into a model folder, named {FOLDER}",
    )


def _image_encoders(adapter: Path) -> Iterator[Path]:
    beside = adapter.parent
    yield beside / FOLDER
    yield from sorted(beside.parent.glob(f"*/{FOLDER}"))
    for folder in model_folders():
        yield from sorted(each for each in folder.rglob(FOLDER) if each.is_dir())
