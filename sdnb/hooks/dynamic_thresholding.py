"""A limit for extreme values that follows the picture."""

from sdnb.events import DenoiseEvent, hook
from sdnb.shapes import Latents


@hook("dynamic_thresholding")
def dynamic_thresholding(
    event: DenoiseEvent, *, percentile: float = 0.995, bound: float = 3.0
) -> Latents:
    """Shrink each image whose extreme values pass ``bound``; on ``denoise``.

    Parameters
    ----------
    percentile : float
        Share of the values, 0 … 1, that count as not extreme.
    bound : float
        The largest absolute value wanted: 1 in the paper's pixels, about 3 in latents of unit
        variance.

    Source: Saharia et al. 2022 (arXiv:2205.11487), section 2.3.
    """
    extreme = event.denoised.abs().flatten(1).quantile(percentile, dim=1)
    limit = extreme.clamp(min=bound).reshape(-1, 1, 1, 1)
    return event.denoised.clamp(-limit, limit) * (bound / limit)
