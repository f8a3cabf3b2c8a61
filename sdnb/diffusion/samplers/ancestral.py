"""The split of an ancestral step: how far to go down, and how much noise to put back."""

from math import sqrt


def ancestral_split(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """Split a step into a deterministic part and fresh noise.

    Returns
    -------
    (sigma_down, sigma_up)
        ``sigma_down**2 + sigma_up**2 == sigma_next**2``. ``eta`` 0 adds no noise; 1 adds as much
        as DDPM's posterior (Song et al. 2021, arXiv:2010.02502, eq. 16, on the
        variance-exploding scale).
    """
    posterior = sigma_next * sqrt(max(sigma**2 - sigma_next**2, 0.0)) / sigma
    sigma_up = min(sigma_next, eta * posterior)
    return sqrt(max(sigma_next**2 - sigma_up**2, 0.0)), sigma_up
