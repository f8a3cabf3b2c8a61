"""A quick guess at what the VAE would decode: a linear map, learned from pictures that it did.

Decoding takes longer than a step of a small network, so that a run may be looked at exactly only
now and then. The guess sees nine neighbouring latents at a time and draws a few pixels for the
middle one. It is fitted by least squares, to all pictures shown so far.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import fold, pad, unfold

from sdnb.shapes import Latents

LARGEST = 128
"""Pixels of a sketch's longer side, at most."""

_RIDGE = 0.1
"""Weight of the wish for small numbers; latents are about 1 in size."""


class Sketch:
    """The guess, as good as what it has learned.

    Parameters
    ----------
    factor : int
        Pixels of the VAE along a side of one latent.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._detail = 0
        self._gram: Tensor | None = None
        self._moment: Tensor | None = None
        self._map: Tensor | None = None

    def learn(self, latents: Latents, images: Sequence[Image.Image]) -> None:
        """See what clean latents [B, C, h, w] look like."""
        detail = self._fitting(latents)
        seen, shown = _patches(latents), _pixels(images, latents, detail)
        gram, moment = seen.T @ seen, seen.T @ shown
        is_same = self._gram is not None and self._gram.shape == gram.shape
        if not is_same or detail != self._detail or self._gram is None or self._moment is None:
            self._gram, self._moment = torch.zeros_like(gram), torch.zeros_like(moment)
        self._detail, self._map = detail, None
        self._gram, self._moment = self._gram + gram, self._moment + moment

    def draw(self, latents: Latents) -> list[Image.Image]:
        """Return a sketch of each of some clean latents; none before it has learned anything."""
        if self._gram is None or self._moment is None or self._fitting(latents) != self._detail:
            return []
        if self._map is None:
            ridge = _RIDGE * torch.eye(len(self._gram))
            self._map = torch.linalg.solve(self._gram + ridge, self._moment)
        count, _, height, width = latents.shape
        drawn = (_patches(latents) @ self._map).unflatten(0, (count, -1)).transpose(1, 2)
        size = (height * self._detail, width * self._detail)
        pixels = fold(drawn, size, self._detail, stride=self._detail).clamp(0, 1)
        array = (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return [Image.fromarray(picture) for picture in array]

    def _fitting(self, latents: Latents) -> int:
        """Return the pixels for each latent, along a side."""
        return max(1, min(self._factor, LARGEST // max(latents.shape[-2:])))


def _patches(latents: Latents) -> Float[Tensor, "places numbers"]:
    """Return the nine latents around each place, and a 1."""
    around = unfold(pad(latents.detach().float().cpu(), (1, 1, 1, 1), mode="replicate"), 3)
    rows = around.transpose(1, 2).flatten(0, 1)
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)


def _pixels(
    images: Sequence[Image.Image], latents: Latents, detail: int
) -> Float[Tensor, "places numbers"]:
    """Return the pixels that each place has in pictures, made as small as sketches are."""
    height, width = latents.shape[-2] * detail, latents.shape[-1] * detail
    small = [image.convert("RGB").resize((width, height), Image.Resampling.BOX) for image in images]
    pixels = torch.from_numpy(np.stack([np.array(image) for image in small]))
    parts = unfold(pixels.permute(0, 3, 1, 2).float() / 255, detail, stride=detail)
    return parts.transpose(1, 2).flatten(0, 1)
