"""Forward diffusion: a clean picture drowned in noise, in one line."""

from sdnb.shapes import State


def add_noise(x0: State, eps: State, sigma: float) -> State:
    """Noise clean latents to level ``sigma``.

    Parameters
    ----------
    sigma : float
        Standard deviation of the added noise, ≥ 0; 0 returns ``x0``.

    Returns
    -------
    Tensor [B, C, h, w]
        ``x0 + sigma * eps``, variance-exploding scale (Karras et al. 2022, arXiv:2206.00364,
        section 2).
    """
    return x0 + sigma * eps
