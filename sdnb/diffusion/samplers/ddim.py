"""DDIM: back to the clean estimate, then out again along the predicted noise."""

from collections.abc import Sequence
from itertools import pairwise

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.shapes import State


@sampler("ddim", family="DDIM", order=1)
def ddim(
    x: State, sigmas: Sequence[float], noise: Noise, *, eta: float = 0.0, s_noise: float = 1.0
) -> Proposals:
    """Denoising diffusion implicit steps; one evaluation per step.

    On the variance-exploding scale the step reads ``denoised + sigma_down * eps``: with ``eta``
    0 it equals `euler`, with 1 `euler_ancestral`, which is the point of the paper.

    Parameters
    ----------
    eta : float
        0 is deterministic, 1 as noisy as DDPM.
    s_noise : float
        Factor on the noise put back.

    Source: Song et al. 2021 (arXiv:2010.02502), eq. 12 and 16.
    """
    for sigma, sigma_next in pairwise(sigmas):
        denoised = yield Evaluate(x, sigma)
        sigma_down, sigma_up = ancestral_split(sigma, sigma_next, eta)
        eps = (x - denoised) / sigma
        x_next = denoised + sigma_down * eps
        x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
        x = yield Step(denoised, x_next, sigma_next)
