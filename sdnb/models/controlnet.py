"""ControlNets: pictures that steer the U-Net by what is added to its inner layers.

Source: Zhang et al. 2023 (arXiv:2302.05543). Files are read in `sdnb.models.controlnet_file`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.control import Control
from sdnb.errors import LoadError
from sdnb.models.controlnet_file import Network, locate_controlnet, read_controlnet
from sdnb.models.hashing import hash_checkpoint
from sdnb.picture import Picture
from sdnb.shapes import Latents

NETWORKS = 4
"""How many ControlNets stay in memory: those used last."""

PICTURES = 16
"""How many pictures stay on the device: those used last."""


class ControlNets:
    """What steers one checkpoint's U-Net."""

    def __init__(self, unet: Network, factor: int) -> None:
        self._unet = unet
        self._factor = factor
        self._networks: dict[tuple[str, str], Network] = {}
        self._pictures: dict[tuple[str, torch.Size], Float[Tensor, "1 3 H W"]] = {}

    def resolved(self, controls: Sequence[Control]) -> tuple[Control, ...]:
        """Read the ControlNets of some controls, and return these with their hashes.

        Raises `LoadError` for one that is missing, broken or made for other networks, and for
        one that is not the file any more that its hash was taken of.
        """
        return tuple(self._resolved(control) for control in controls)

    def residuals(
        self,
        controls: Sequence[Control],
        x: Latents,
        t: Float[Tensor, " B"],
        told: Mapping[str, Any],  # what diffusers' networks are told beside them
    ) -> dict[str, object]:
        """Return what resolved controls add to the U-Net, as it is given it; several add up.

        ``x``, ``t`` and ``told`` are what the U-Net is asked with.
        """
        if not controls:
            return {}
        answers = [
            self._network(control)(
                x,
                t,
                controlnet_cond=self._shown(control.picture, x),
                conditioning_scale=control.weight,
                return_dict=False,
                **told,
            )
            for control in controls
        ]
        down, middle = zip(*answers, strict=True)
        return {
            "down_block_additional_residuals": tuple(map(sum, zip(*down, strict=True))),
            "mid_block_additional_residual": sum(middle),
        }

    def _shown(self, picture: Picture, x: Latents) -> Float[Tensor, "B 3 H W"]:
        """Return the picture at the size of the run, in 0 … 1, for each row."""
        key = picture.sha256, x.shape[-2:]
        pixels = self._pictures.pop(key, None)
        if pixels is None:
            height, width = (side * self._factor for side in x.shape[-2:])
            image = np.array(picture.open().resize((width, height)))
            pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(x) / 255
        self._pictures[key] = pixels
        for old in [*self._pictures][:-PICTURES]:
            self._pictures.pop(old, None)
        return pixels.expand(len(x), -1, -1, -1)

    def _resolved(self, control: Control) -> Control:
        resolved = replace(control, sha256=_located(control)[1])
        self._network(resolved)
        return resolved

    def _network(self, control: Control) -> Network:
        key = control.reference, control.sha256
        network = self._networks.pop(key, None)
        if network is None:  # or others have taken its place
            network = read_controlnet(_located(control)[0], self._unet)
        self._networks[key] = network
        for old in [*self._networks][:-NETWORKS]:
            self._networks.pop(old, None)
        return network


def _located(control: Control) -> tuple[Path, str]:
    path = locate_controlnet(control.reference)
    sha256 = hash_checkpoint(path)
    if control.sha256 not in ("", sha256):
        raise LoadError(
            "this ControlNet is another file than the one that the request was drawn with.",
            given=f"{path}: {sha256[:12]}",
            allowed=f"the file with the hash {control.sha256[:12]}",
            fix='put that file there, or take this one: dataclasses.replace(control, sha256="")',
        )
    return path, sha256
