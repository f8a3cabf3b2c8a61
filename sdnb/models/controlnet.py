"""ControlNets: pictures that steer the U-Net by what is added to its inner layers.

Source: Zhang et al. 2023 (arXiv:2302.05543). Files are read in `sdnb.models.controlnet_file`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.control import Control
from sdnb.models.controlnet_file import Network, locate_controlnet, read_controlnet
from sdnb.models.named_files import NamedFiles
from sdnb.models.recent import Recent
from sdnb.picture import Picture
from sdnb.shapes import Latents

NETWORKS = 4
"""How many ControlNets stay in memory: those used last, and all that one request names."""

PICTURES = 16
"""How many pictures stay on the device, likewise."""


Pixels = Float[Tensor, "1 3 H W"]


class ControlNets:
    """What steers one checkpoint's U-Net."""

    def __init__(self, unet: Network, factor: int) -> None:
        self._factor = factor
        self._networks = NamedFiles[Control, Network](
            "ControlNet", locate_controlnet, partial(read_controlnet, unet=unet), limit=NETWORKS
        )
        self._pictures = Recent[tuple[str, torch.Size], Pixels](PICTURES)

    def resolved(self, controls: Sequence[Control]) -> tuple[Control, ...]:
        """Read the ControlNets of some controls, and return these with their hashes.

        Raises `LoadError` for one that is missing, broken or made for other networks, and for
        one that is not the file any more that its hash was taken of.
        """
        self._networks.hold(len(controls))
        self._pictures.hold(len(controls))
        return tuple(map(self._networks.resolved, controls))

    def networks(self, controls: Sequence[Control]) -> list[Network]:
        """Return the networks of resolved controls."""
        return [self._networks.of(control) for control in controls]

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
            network(
                x,
                t,
                controlnet_cond=self._shown(control.picture, x),
                conditioning_scale=control.weight,
                return_dict=False,
                **told,
            )
            for control, network in zip(controls, self.networks(controls), strict=True)
        ]
        down, middle = zip(*answers, strict=True)
        return {
            "down_block_additional_residuals": tuple(map(sum, zip(*down, strict=True))),
            "mid_block_additional_residual": sum(middle),
        }

    def _shown(self, picture: Picture, x: Latents) -> Float[Tensor, "B 3 H W"]:
        """Return the picture at the size of the run, in 0 … 1, for each row."""
        height, width = (side * self._factor for side in x.shape[-2:])

        def resized() -> Pixels:
            image = np.array(picture.open().resize((width, height)))
            return torch.from_numpy(image).permute(2, 0, 1)[None].to(x) / 255

        pixels = self._pictures.of((picture.sha256, x.shape[-2:]), resized)
        return pixels.expand(len(x), -1, -1, -1)
