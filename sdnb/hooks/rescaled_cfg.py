"""Guidance that does not raise the contrast."""

from sdnb.events import DenoiseEvent, hook
from sdnb.shapes import Latents


@hook("rescaled_cfg")
def rescaled_cfg(event: DenoiseEvent, *, phi: float = 0.7) -> Latents | None:
    """Give the guided noise the spread that the conditional one has; on ``denoise``.

    Parameters
    ----------
    phi : float
        Share of the rescaled answer, 0 … 1.

    Source: Lin et al. 2023 (arXiv:2305.08891), eq. 14 to 16.
    """
    if "uncond" not in event.eps:
        return None
    eps = (event.x - event.denoised) / event.sigma
    spread = event.eps["cond"].std(dim=(1, 2, 3), keepdim=True)
    rescaled = eps * spread / eps.std(dim=(1, 2, 3), keepdim=True)
    return event.x - event.sigma * (phi * rescaled + (1 - phi) * eps)
