"""IP-Adapters: pictures that the U-Net attends to, beside the text.

Source: Ye et al. 2023 (arXiv:2308.06721). Files are read in `sdnb.models.ip_adapter_file`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import LoadError
from sdnb.ip_adapter import IPAdapter
from sdnb.models.hashing import hash_checkpoint
from sdnb.models.image_encoder import Found, ImageEncoder, find_image_encoder
from sdnb.models.ip_adapter_file import Network, Worn, locate_ip_adapter, read_ip_adapter
from sdnb.picture import Picture
from sdnb.shapes import Embeds

FILES = 2
"""How many IP-Adapters stay in memory: those used last."""

PICTURES = 16
"""How many pictures' vectors stay on the device: those used last."""

Seen = Float[Tensor, "1 1 T D"]


class IPAdapters:
    """What shows pictures to one checkpoint's U-Net.

    Between two calls the U-Net has its own attention only.
    """

    def __init__(self, unet: Network, *, is_small: bool) -> None:
        self._unet = unet
        self._is_small = is_small
        self._files: dict[str, Worn] = {}
        self._found: dict[str, Found] = {}  # reference -> what it sees with, as last resolved
        self._encoders: dict[Found, ImageEncoder] = {}
        self._seen: dict[tuple[str, str, Found], tuple[Seen, Seen]] = {}

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

    @contextmanager
    def worn(self, adapters: Sequence[IPAdapter]) -> Iterator[None]:
        """Let the U-Net attend to the pictures of resolved IP-Adapters inside a block."""
        if not adapters:
            yield
            return
        layers = dict(self._unet.named_modules())
        own = {path: layers[path].processor for path in self._file(adapters[0]).keys_values}
        try:
            for path, processor in self._joined(adapters).items():
                layers[path].set_processor(processor)
            yield
        finally:
            _put_back(layers, own)

    def _joined(self, adapters: Sequence[IPAdapter]) -> dict[str, Network]:
        """Return each layer's attention to the pictures of all adapters, by their weights."""
        files = [self._file(adapter) for adapter in adapters]
        return {
            path: files[0].attention(
                [file.keys_values[path] for file in files], [each.weight for each in adapters]
            )
            for path in files[0].keys_values
        }

    @torch.no_grad()
    def _vectors(self, adapter: IPAdapter) -> tuple[Seen, Seen]:
        """Return what the network reads of a picture, and of none."""
        found = self._found[adapter.reference]
        key = adapter.picture.sha256, adapter.sha256, found
        seen = self._seen.pop(key, None)
        if seen is None:
            seen = self._look(adapter.picture, self._file(adapter), self._encoder(found))
        self._seen[key] = seen
        for old in [*self._seen][:-PICTURES]:
            self._seen.pop(old, None)
        return seen

    def _look(self, picture: Picture, file: Worn, encoder: ImageEncoder) -> tuple[Seen, Seen]:
        look = encoder.summaries if file.reads_summary else encoder.patches
        picture_seen, nothing = look(picture)
        return file.project(picture_seen)[:, None], file.project(nothing)[:, None]

    def _encoder(self, found: Found) -> ImageEncoder:
        if found not in self._encoders:
            self._encoders.clear()  # of some gigabytes each
            self._encoders[found] = ImageEncoder.read(found.folder, self._unet)
        return self._encoders[found]

    def _resolved(self, adapter: IPAdapter) -> IPAdapter:
        path, sha256 = _located(adapter)
        resolved = replace(adapter, sha256=sha256)
        file = self._file(resolved)
        self._found[adapter.reference] = find_image_encoder(
            path, file.width, reads_summary=file.reads_summary
        )
        self._vectors(resolved)
        return resolved

    def _file(self, adapter: IPAdapter) -> Worn:
        file = self._files.pop(adapter.sha256, None)
        if file is None:  # or others have taken its place
            file = read_ip_adapter(_located(adapter)[0], self._unet)
        self._files[adapter.sha256] = file
        for old in [*self._files][:-FILES]:
            self._files.pop(old, None)
        return file


# diffusers' layers and processors
def _put_back(layers: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    try:
        for path, processor in own.items():
            layers[path].set_processor(processor)
    except BaseException:  # an interrupt must not leave a part of it on
        _put_back(layers, own)
        raise


def _located(adapter: IPAdapter) -> tuple[Path, str]:
    path = locate_ip_adapter(adapter.reference)
    sha256 = hash_checkpoint(path)
    if adapter.sha256 not in ("", sha256):
        raise LoadError(
            "this IP-Adapter is another file than the one that the request was drawn with.",
            given=f"{path}: {sha256[:12]}",
            allowed=f"the file with the hash {adapter.sha256[:12]}",
            fix='put that file there, or take this one: dataclasses.replace(adapter, sha256="")',
        )
    return path, sha256
