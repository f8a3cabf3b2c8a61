"""Guidance by what the picture should look like: a gradient through the network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.events import DenoiseEvent
from sdnb.models.vae import encode_images
from sdnb.pipeline import Pipeline
from sdnb.shapes import Latents

Loss = Callable[[Tensor], Tensor]

HALVINGS = 8
"""How often a step that is too long is halved: the loss alone is asked, not the network."""


@dataclass(frozen=True, eq=False)
class gradient_guidance:
    """Move the estimate against the gradient of a loss of it; on ``denoise``.

    The gradient goes through the network, which is asked once more. The step is so long that a
    quadratic loss would fall by the share ``strength`` of the way to 0, whatever its scale; and
    half as long as often as the loss would not fall at all.

    Parameters
    ----------
    loss : callable
        ``denoised [B, C, h, w]`` -> a number for each image, [B], 0 at best.
    strength : float
        Share of the way, 0 … 1.

    Source: Bansal et al. 2023 (arXiv:2302.07121), eq. 6; Chung et al. 2022
    (arXiv:2209.14687), eq. 16; the length by Polyak's rule.
    """

    loss: Loss
    strength: float = 0.5

    def __call__(self, event: DenoiseEvent) -> Latents:
        """Ask again with gradients on, and step down the loss."""
        x = event.x.detach().requires_grad_()
        with torch.enable_grad():
            denoised = event.denoise(x)
            losses = self.loss(denoised)
        direct, through = torch.autograd.grad(losses.sum(), (denoised, x))
        fall = (direct * through).sum(dim=(1, 2, 3))
        length = torch.where(fall > 0, 2 * losses.detach() / fall.clamp(min=1e-12), 0.0)
        before = self.loss(event.denoised)
        for _ in range(HALVINGS):
            moved = self._moved(event.denoised, length, through)
            length = torch.where(self.loss(moved) < before, length, length / 2)
        return self._moved(event.denoised, length, through)

    def _moved(self, denoised: Latents, length: Float[Tensor, " B"], through: Tensor) -> Latents:
        return denoised - self.strength * length.reshape(-1, 1, 1, 1) * through


def colour_guidance(
    pipe: Pipeline,
    colour: tuple[float, float, float],
    *,
    mask: Float[Tensor, "1 1 h w"] | None = None,
    strength: float = 0.5,
) -> gradient_guidance:
    """Pull the mean of a region (or of all) towards a colour; on ``denoise``.

    Parameters
    ----------
    colour : (red, green, blue)
        Each 0 … 1.
    mask : Tensor [1, 1, h, w], optional
        1 where the colour is wanted.
    strength : float
        Share of the way that each answer is moved.
    """
    spec, size = pipe.components.latent, pipe.components.size
    flat = torch.tensor(colour, dtype=torch.float32).reshape(1, 3, 1, 1).expand(1, 3, size, size)
    target = encode_images(pipe.components, flat).mean(dim=(2, 3), keepdim=True)
    wanted = torch.ones(1, 1, size // spec.factor, size // spec.factor) if mask is None else mask

    def loss(denoised: Tensor) -> Tensor:
        share = wanted.to(denoised)
        mean = (share * denoised).sum(dim=(2, 3), keepdim=True) / share.sum()
        return (mean - target.to(denoised)).square().sum(dim=(1, 2, 3))

    return gradient_guidance(loss, strength)
