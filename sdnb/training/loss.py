"""What is minimised: the weighted noise error of the U-Net, the VAE's errors.

Here are pure functions of tensors; who calls them is in ``autoencoder`` and ``diffusion``.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdnb.shapes import Latents


def min_snr_weight(
    alphas_cumprod: Float[Tensor, " T"], t: Int[Tensor, " B"], gamma: float = 5.0
) -> Float[Tensor, " B"]:
    """Weight of the noise error at training timestep ``t``: min(SNR, gamma) / SNR.

    It keeps the nearly clean timesteps, where eps says little, from ruling the sum.
    Source: Hang et al. 2023 (arXiv:2303.09556), Eq. 8 for eps-prediction.
    """
    snr = alphas_cumprod[t] / (1 - alphas_cumprod[t])
    return snr.clamp(max=gamma) / snr


def eps_loss(
    predicted: Latents,
    eps: Latents,
    weight: Float[Tensor, " B"],
) -> Float[Tensor, ""]:
    """Weighted mean squared error of the predicted noise.

    Source: Ho et al. 2020 (arXiv:2006.11239), Eq. 14, with a weight for each image.
    """
    error = (predicted.float() - eps).square().mean(dim=(1, 2, 3))
    return (weight * error).mean()


def pixel_loss(
    decoded: Float[Tensor, "B 3 H W"], images: Float[Tensor, "B 3 H W"]
) -> Float[Tensor, ""]:
    """Squared error of the pixels plus a little of the absolute one, which sharpens edges."""
    difference = decoded.float() - images
    return difference.square().mean() + 0.02 * difference.abs().mean()


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
