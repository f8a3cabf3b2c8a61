"""Making a VAE's latents white, by changing two of its 1x1 convolutions."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from sdnb.errors import LoadError
from sdnb.training.autoencoder import Autoencoder, encode_pictures


@torch.no_grad()
def whiten_latents(model: Autoencoder, pictures: UInt8[np.ndarray, "N H W 3"]) -> None:
    """Fold a rotation and scaling into the VAE that makes its latents white.

    Afterwards the latents' channels are uncorrelated, with zero mean and unit
    variance over ``pictures``; what the VAE decodes does not change. The rotation is
    the symmetric one (ZCA), which stays nearest to the channels as they were learned.
    The log-variances move along with the mean scale of each channel.
    """
    latents = encode_pictures(model, pictures).double().transpose(0, 1).flatten(1)
    mean = latents.mean(1)
    values, vectors = torch.linalg.eigh(torch.cov(latents))
    whiten = vectors @ torch.diag(values.rsqrt()) @ vectors.T
    colour = vectors @ torch.diag(values.sqrt()) @ vectors.T
    compose_after(model.quant_conv, whiten, -whiten @ mean)
    compose_before(model.post_quant_conv, colour, mean)


def compose_after(
    quant: nn.Conv2d, matrix: Float[Tensor, "C C"], shift: Float[Tensor, " C"]
) -> None:
    """Apply ``matrix`` and ``shift`` to the means that a 1x1 convolution gives."""
    channels = len(shift)
    weight, bias = quant.weight[:, :, 0, 0].double(), bias_of(quant).double()
    weight[:channels] = matrix.to(weight) @ weight[:channels]
    bias[:channels] = matrix.to(bias) @ bias[:channels] + shift.to(bias)
    bias[channels:] += 2 * matrix.diagonal().abs().log().to(bias)
    quant.weight.copy_(weight[:, :, None, None])
    bias_of(quant).copy_(bias)


def compose_before(
    post_quant: nn.Conv2d, matrix: Float[Tensor, "C C"], shift: Float[Tensor, " C"]
) -> None:
    """Let a 1x1 convolution see ``matrix @ latents + shift`` instead of its latents."""
    weight, bias = post_quant.weight[:, :, 0, 0].double(), bias_of(post_quant).double()
    bias_of(post_quant).copy_(weight @ shift.to(weight) + bias)
    post_quant.weight.copy_((weight @ matrix.to(weight))[:, :, None, None])


def bias_of(layer: nn.Conv2d) -> Tensor:
    """The bias of a convolution that has one."""
    if layer.bias is None:
        raise LoadError(
            "a VAE whose 1x1 convolutions have no bias cannot be made white.",
            given="quant_conv or post_quant_conv with bias=False",
            allowed="1x1 convolutions with a bias",
            fix="make the VAE with sdnb.training.autoencoder.make_autoencoder",
        )
    return layer.bias
