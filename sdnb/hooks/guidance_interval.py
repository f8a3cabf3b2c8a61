"""Guidance at middle noise levels only."""

from dataclasses import replace

from sdnb.events import ModelEvent, hook


@hook("guidance_interval")
def guidance_interval(
    event: ModelEvent, *, low: float = 0.28, high: float = 5.42
) -> ModelEvent | None:
    """Ask without a prompt only where ``low < sigma <= high``; on ``model``.

    Elsewhere guidance does more harm than good, and without it the question costs half.

    Parameters
    ----------
    low, high : float
        Levels; the defaults are the paper's for EDM2-XXL on ImageNet-512.

    Source: Kynkäänniemi et al. 2024 (arXiv:2404.07724), eq. 5 and section 4.
    """
    if low < event.sigma <= high:
        return None
    return replace(event, branches={"cond": event.branches["cond"]})
