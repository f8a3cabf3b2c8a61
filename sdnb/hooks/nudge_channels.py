"""Brightness, tint and contrast, turned in the latents."""

from collections.abc import Sequence

from sdnb.errors import InvalidField
from sdnb.events import DenoiseEvent, hook
from sdnb.shapes import Latents


@hook("nudge_channels")
def nudge_channels(
    event: DenoiseEvent, *, shift: Sequence[float] = (0.0, 0.0, 0.0, 0.0), contrast: float = 1.0
) -> Latents:
    """Move the mean of each latent channel and stretch around it; on ``denoise``.

    Parameters
    ----------
    shift : sequence of float, [C]
        Added to each channel; latents have about unit variance.
    contrast : float
        Factor on the distance from the channel's mean: 1 changes nothing.
    """
    channels = event.denoised.shape[1]
    if len(shift) != channels:
        raise InvalidField(
            "each latent channel has its own shift.",
            given=shift,
            allowed=f"{channels} numbers",
            fix="shift=" + ",".join(["0"] * channels),
        )
    mean = event.denoised.mean(dim=(2, 3), keepdim=True)
    moved = mean + event.denoised.new_tensor(list(shift)).reshape(1, -1, 1, 1)
    return moved + contrast * (event.denoised - mean)
