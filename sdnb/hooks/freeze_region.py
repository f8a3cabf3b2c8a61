"""A part of the picture that stays as it is known to be."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sdnb.events import DenoiseEvent
from sdnb.inpaint import blend
from sdnb.shapes import Latents


@dataclass(frozen=True, eq=False)
class freeze_region:
    """Keep ``latents`` wherever ``mask`` is 0; on ``denoise``.

    Parameters
    ----------
    latents : Tensor [1 or B, C, h, w]
        Clean latents: a result's, or those of a picture.
    mask : Tensor [1 or B, 1, h, w]
        1 = free, 0 = frozen; shares in between blend.

    Source: Lugmayr et al. 2022 (arXiv:2201.09865), eq. 8, on the clean estimate.
    """

    latents: Latents
    mask: Float[Tensor, "B 1 h w"]

    def __call__(self, event: DenoiseEvent) -> Latents:
        """Blend the estimate with what is known."""
        mask, known = self.mask.to(event.denoised), self.latents.to(event.denoised)
        return blend(mask, event.denoised, known)
