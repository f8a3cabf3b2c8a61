"""More noise between the steps: detail at the price of likeness."""

from sdnb.diffusion.noise import batch_seeds, step_noise
from sdnb.events import StepEvent, hook
from sdnb.shapes import Latents


@hook("noise_injection")
def noise_injection(event: StepEvent, *, amount: float = 0.1, seed: int = 0) -> Latents:
    """Add ``amount * sigma_next`` of fresh noise after a step; on ``step``.

    Parameters
    ----------
    amount : float
        Share of the level's own noise, 0 and more.
    seed : int
        Image i draws from ``seed + i``, another stream at every step.

    Source: Karras et al. 2022 (arXiv:2206.00364), section 4, the idea of churn.
    """
    seeds = batch_seeds(seed, len(event.x_next))
    draw = step_noise(seeds, event.x_next, begin=event.index + 1)
    return event.x_next + amount * event.sigma_next * draw(event.sigma, event.sigma_next)
