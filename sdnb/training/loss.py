"""What is minimised: the weighted velocity error of the U-Net, the VAE's errors.

Here are pure functions of tensors; who calls them is in ``autoencoder`` and ``diffusion``.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.shapes import Latents


def velocity(x0: Latents, eps: Latents, kept: Float[Tensor, "B 1 1 1"]) -> Latents:
    """What the U-Net predicts: ``v = sqrt(kept) eps - sqrt(1 - kept) x0``.

    Where noise rules, it is the clean image that is asked for, and there the text decides.
    ``kept`` is the schedule's ``alphas_cumprod``.
    Source: Salimans and Ho 2022 (arXiv:2202.00512), section 4 and appendix D.
    """
    return kept.sqrt() * eps - (1 - kept).sqrt() * x0


def v_loss(predicted: Latents, v: Latents, weight: Float[Tensor, "B 1 h w"]) -> Float[Tensor, ""]:
    """Mean squared error of the predicted velocity, with a weight for each place."""
    return (weight * (predicted.float() - v).square()).mean()


def weigh_levels(sigma: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Weight of each noise level: one over the error that is to be expected there.

    Most of the error at high noise nobody can avoid: how large things are and where exactly they
    stand is seldom told. Weighed alike it would drown what is learned about shapes. The curve
    follows errors as measured in a training.
    Source of the idea: Kendall et al. 2018 (arXiv:1705.07115).
    """
    power = sigma.square()
    return 0.2 / (0.08 + 0.7 * power / (power + 49))


def pixel_loss(
    decoded: Float[Tensor, "B 3 H W"],
    images: Float[Tensor, "B 3 H W"],
    weight: Float[Tensor, "B 1 H W"] | float = 1.0,
) -> Float[Tensor, ""]:
    """Squared error of the pixels plus a little of the absolute one, which sharpens edges."""
    difference = decoded.float() - images
    return (weight * (difference.square() + 0.02 * difference.abs())).mean()


def vae_loss(
    decoded: Float[Tensor, "B 3 H W"],
    images: Float[Tensor, "B 3 H W"],
    mean: Latents,
    log_variance: Latents,
) -> Float[Tensor, ""]:
    """Error of the pixels plus a little divergence from the unit Gaussian.

    The weight of the divergence, 1e-4 of its mean per latent, lets the posterior's
    noise add about 5e-5 to the squared error: decoding forgives small latent errors.
    Source: Kingma and Welling 2013 (arXiv:1312.6114), Appendix B.
    """
    divergence = (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2
    return pixel_loss(decoded, images) + 1e-4 * divergence


def psnr(decoded: Float[Tensor, "B 3 H W"], images: Float[Tensor, "B 3 H W"]) -> float:
    """Peak signal-to-noise ratio in dB of images whose values span 2 (from -1 to 1)."""
    return float(10 * torch.log10(4 / (decoded - images).square().mean()))
