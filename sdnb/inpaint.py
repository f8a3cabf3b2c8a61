"""Repainting a part of a picture: what the network sees of the rest, and what stays of it.

In latents, the rest is the picture noised to the level of each question, and the picture itself
in each answer. In pixels it is the picture too: it never passes through the VAE, which would
change it a little. Where the mask is grey, both are blended.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL.Image import Resampling
from torch import Tensor
from torch.nn.functional import avg_pool2d

from sdnb.diffusion.forward import add_noise
from sdnb.models.vae import from_pil
from sdnb.picture import Inpaint, Picture, Start
from sdnb.shapes import Images, Latents, Mask


@dataclass(frozen=True, eq=False)
class KnownRegion:
    """The part of a run's latents that is known: wherever ``mask`` is 0.

    Parameters
    ----------
    latents : Tensor [B, C, h, w]
        The picture's, clean.
    eps : Tensor [B, C, h, w]
        The noise under which the network sees it, the same at every level.
    mask : Tensor [B, 1, h, w]
        1 = repaint, 0 = keep; shares in between blend.

    Source: Lugmayr et al. 2022 (arXiv:2201.09865), eq. 8, with one draw of the noise for all
    levels, and on the clean estimate as well.
    """

    latents: Latents
    eps: Latents
    mask: Mask

    def show(self, x: Latents, sigma: float) -> Latents:
        """Return what the network is asked about: ``x``, and the known part at its level."""
        return blend(self.mask, x, add_noise(self.latents, self.eps, sigma))

    def keep(self, denoised: Latents) -> Latents:
        """Return what the sampler is told: the answer, and the known part as it is.

        The unguided answer that a CFG++ sampler is told beside it stays the network's, as in
        the stored reference runs: its ``x`` drifts where the mask keeps, its answers do not.
        """
        return blend(self.mask, denoised, self.latents)


def blend(
    mask: Float[Tensor, "#B 1 a b"],
    free: Float[Tensor, "#B C a b"],
    known: Float[Tensor, "#B C a b"],
) -> Float[Tensor, "_ C a b"]:
    """Return ``free`` where the mask is 1, ``known`` where it is 0; of latents or pixels."""
    return mask * free + (1 - mask) * known


def latent_mask(mask: Picture, size: tuple[int, int], factor: int) -> Mask:
    """Return a mask over latents, [1, 1, h, w]: the average of the pixels under each.

    Parameters
    ----------
    size : (width, height)
        Of the run, in pixels; a mask of another size is resized first.
    factor : int
        Pixels per latent along a side.
    """
    shares: Mask = avg_pool2d(_pixel_mask(mask, size), factor)
    return shares


@dataclass(frozen=True, eq=False)
class Shown:
    """What a network that was trained to inpaint is shown of a picture.

    Parameters
    ----------
    mask : Tensor [1, 1, h, w]
        Over latents, 1 = repaint, without shares: in training there were none.
    kept : Tensor [1, 3, H, W]
        Pixels in 0 … 1, grey where they are repainted.
    """

    mask: Mask
    kept: Images


def shown_beside(start: Start, size: tuple[int, int], factor: int) -> Shown:
    """Return what is shown of a start; without a mask all is grey, and repainted."""
    width, height = size
    if not isinstance(start, Inpaint):
        grey = torch.full((1, 3, height, width), 0.5)
        return Shown(torch.ones(1, 1, height // factor, width // factor), grey)
    pixels = from_pil([start.picture.open().resize(size)])
    repainted = (_pixel_mask(start.mask, size) >= 0.5).float()
    mask = repainted[..., ::factor, ::factor]  # as in training: a latent has its first pixel's
    return Shown(mask, blend(repainted, torch.full_like(pixels, 0.5), pixels))


def paste(start: Inpaint, images: Images) -> Images:
    """Put the kept pixels of the picture, at the size of ``images``, over what was decoded."""
    size = (images.shape[-1], images.shape[-2])
    known = from_pil([start.picture.open().resize(size)]).to(images)
    return blend(_pixel_mask(start.mask, size).to(images), images, known)


def _pixel_mask(mask: Picture, size: tuple[int, int]) -> Mask:
    pixels = from_pil([mask.open().resize(size, Resampling.BOX)])
    return pixels.mean(dim=1, keepdim=True)
