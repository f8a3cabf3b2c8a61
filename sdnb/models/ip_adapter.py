"""IP-Adapters: pictures that the U-Net attends to, beside the text.

Source: Ye et al. 2023 (arXiv:2308.06721). Files are read in `sdnb.models.ip_adapter_file`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import LoadError
from sdnb.ip_adapter import IPAdapter
from sdnb.models.image_encoder import ImageEncoder
from sdnb.models.image_encoder_file import find_image_encoder, hash_image_encoder
from sdnb.models.ip_adapter_file import Network, Worn, locate_ip_adapter, read_ip_adapter
from sdnb.models.named_files import NamedFiles
from sdnb.models.offload import Offload
from sdnb.models.recent import Recent
from sdnb.shapes import Embeds

FILES = 2
"""How many IP-Adapters stay in memory: those used last, and all that one request names."""

PICTURES = 16
"""How many pictures' vectors stay on the device, likewise."""

Seen = Float[Tensor, "1 1 T D"]


class IPAdapters:
    """What shows pictures to one checkpoint's U-Net.

    Between two calls the U-Net has its own attention only.
    """

    def __init__(self, unet: Network, *, is_small: bool, offload: Offload | None = None) -> None:
        self._unet = unet
        self._offload = offload
        self._is_small = is_small
        self._files = NamedFiles[IPAdapter, Worn](
            "IP-Adapter", locate_ip_adapter, partial(read_ip_adapter, unet=unet), limit=FILES
        )
        self._encoders = Recent[str, ImageEncoder](1)  # of some gigabytes each
        self._seen = Recent[tuple[str, str, str], tuple[Seen, Seen]](PICTURES)

    def resolved(self, given: Sequence[IPAdapter]) -> tuple[IPAdapter, ...]:
        """Read IP-Adapters and what they see with, and return them with their hashes.

        Raises `LoadError` for one that is missing, broken or made for other networks, for one
        that is not the file any more that its hash was taken of, and for the embedded model.
        """
        if given and self._is_small:
            raise LoadError(
                "the embedded model has no IP-Adapter: it never saw a photograph.",
                given=str(given[0]),
                allowed="checkpoints of Stable Diffusion 1, 2 and XL",
                fix='load one: sdnb.load("model.safetensors"); or start from the picture: --image',
            )
        self._files.hold(len(given))
        self._seen.hold(len(given))
        return tuple(self._resolved(each) for each in given)

    def told(
        self, adapters: Sequence[IPAdapter], text: Embeds, rows: Sequence[tuple[str, int]]
    ) -> dict[str, object]:
        """Return what the U-Net reads where it wears resolved IP-Adapters: text and pictures.

        ``rows`` are the names of branches and how many rows each has, in their order; the
        branch ``uncond`` is shown no picture.
        """
        if not adapters:
            return {}
        shown = []
        for adapter in adapters:
            picture, nothing = self._vectors(adapter)
            each = [
                (nothing if name == "uncond" else picture).expand(count, -1, -1, -1)
                for name, count in rows
            ]
            shown.append(torch.cat(each).to(text))
        return {"encoder_hidden_states": (text, shown)}

    def networks(self, adapters: Sequence[IPAdapter]) -> list[Network]:
        """Return what resolved IP-Adapters put into the U-Net."""
        return [part for each in adapters for part in self._files.of(each).keys_values.values()]

    @contextmanager
    def worn(self, adapters: Sequence[IPAdapter]) -> Iterator[None]:
        """Let the U-Net attend to the pictures of resolved IP-Adapters inside a block."""
        if not adapters:
            yield
            return
        layers = dict(self._unet.named_modules())
        own = {path: layers[path].processor for path in self._files.of(adapters[0]).keys_values}
        try:
            for path, processor in self._joined(adapters).items():
                layers[path].set_processor(processor)
            yield
        finally:
            _put_back(layers, own)

    def _joined(self, adapters: Sequence[IPAdapter]) -> dict[str, Network]:
        """Return each layer's attention to the pictures of all adapters, by their weights."""
        files = [self._files.of(adapter) for adapter in adapters]
        return {
            path: files[0].attention(
                [file.keys_values[path] for file in files], [each.weight for each in adapters]
            )
            for path in files[0].keys_values
        }

    @torch.no_grad()
    def _vectors(self, adapter: IPAdapter) -> tuple[Seen, Seen]:
        """Return what the network reads of a picture, and of none."""
        key = adapter.picture.sha256, adapter.sha256, adapter.image_encoder
        return self._seen.of(key, lambda: self._look(adapter))

    def _look(self, adapter: IPAdapter) -> tuple[Seen, Seen]:
        file = self._files.of(adapter)
        encoder = self._encoders.of(adapter.image_encoder, lambda: self._encoder(adapter))
        if self._offload is not None:
            self._offload.bring(encoder.network, file.project)
        look = encoder.summaries if file.reads_summary else encoder.patches
        seen, nothing = look(adapter.picture)
        return file.project(seen)[:, None], file.project(nothing)[:, None]

    def _encoder(self, adapter: IPAdapter) -> ImageEncoder:
        return ImageEncoder.read(self._found(adapter)[0], self._unet)

    def _resolved(self, adapter: IPAdapter) -> IPAdapter:
        resolved = self._files.resolved(adapter)
        resolved = replace(resolved, image_encoder=self._found(resolved)[1])
        self._vectors(resolved)
        return resolved

    def _found(self, adapter: IPAdapter) -> tuple[Path, str]:
        """Return the image encoder's file and its hash, which is the adapter's if it has one."""
        file = self._files.of(adapter)
        path = find_image_encoder(
            locate_ip_adapter(adapter.reference), file.width, reads_summary=file.reads_summary
        )
        sha256 = hash_image_encoder(path)
        if adapter.image_encoder not in ("", sha256):
            raise LoadError(
                "this image encoder is another than the one that the request was drawn with.",
                given=f"{path}: {sha256[:12]}",
                allowed=f"the file with the hash {adapter.image_encoder[:12]}",
                fix="put that file there; to draw with this one, name the IP-Adapter anew",
            )
        return path, sha256


# diffusers' layers and processors
def _put_back(layers: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    try:
        for path, processor in own.items():
            layers[path].set_processor(processor)
    except BaseException:  # an interrupt must not leave a part of it on
        _put_back(layers, own)
        raise
