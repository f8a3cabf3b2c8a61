"""Forward diffusion: a clean picture drowned in noise, at once or step by step."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt

from sdnb.diffusion.noise import Noise
from sdnb.errors import InvalidField
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


def add_more_noise(x: State, eps: State, sigma: float, sigma_next: float) -> State:
    """Take one step of the forward Markov chain, ``q(x_t | x_(t-1))``, from level to level.

    Variances add up, so the step's own is ``sigma_next**2 - sigma**2``. Divided by
    ``sqrt(1 + sigma**2)`` before and after, it is the step of Ho et al. 2020
    (arXiv:2006.11239), eq. 2: ``sqrt(1 - beta) * x + sqrt(beta) * eps``.

    Raises
    ------
    InvalidField
        Where the next level is under this one: noise is not taken away by adding some.
    """
    if not 0 <= sigma <= sigma_next:
        raise InvalidField(
            "the forward chain only adds noise.",
            given=(sigma, sigma_next),
            allowed="levels from 0 that rise",
            fix="add_more_noise(x, eps, low, high)",
        )
    return x + sqrt(sigma_next**2 - sigma**2) * eps


def noise_chain(x0: State, sigmas: Sequence[float], noise: Noise) -> Iterator[State]:
    """Walk the forward Markov chain over rising levels; yields ``x`` at each of them.

    At level ``sigma`` it is distributed as ``add_noise(x0, eps, sigma)``.

    Parameters
    ----------
    sigmas : sequence of float
        Rising levels, from 0 or over; the first step leads from ``x0`` to the first of them.
    noise : callable
        ``(sigma, sigma_next)`` -> a unit draw of x's shape, such as `step_noise`.
    """
    x = x0
    for sigma, sigma_next in pairwise((0.0, *sigmas)):
        x = add_more_noise(x, noise(sigma, sigma_next), sigma, sigma_next)
        yield x
