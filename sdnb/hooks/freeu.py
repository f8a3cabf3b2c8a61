"""Less of the skips, more of the backbone: FreeU."""

from itertools import product

import torch
from torch import Tensor

from sdnb.events import Hook, Hooks, ModuleEvent, on_module
from sdnb.pipeline import Pipeline
from sdnb.shapes import Activation

LOW = (slice(-1, None), slice(0, 1))
"""The frequencies of the skips that are weakened, -1 and 0 along each axis, as the authors do."""


def freeu(
    pipe: Pipeline, *, b1: float = 1.5, b2: float = 1.6, s1: float = 0.9, s2: float = 0.2
) -> Hooks:
    """Weigh the U-Net's backbone against its skips in the first two up blocks; taps.

    Parameters
    ----------
    b1, b2 : float
        Factor of the first half of the backbone's channels, by block; 1 leaves them.
    s1, s2 : float
        Factor of the skips' low frequencies, by block; 1 leaves them.

    Source: Si et al. 2023 (arXiv:2309.11497).
    """
    unet, hooks = pipe.components.unet, Hooks()
    before = unet.mid_block.resnets[-1].out_channels
    for number, (block, b, s) in enumerate(zip(unet.up_blocks, (b1, b2), (s1, s2), strict=False)):
        for i, resnet in enumerate(block.resnets):
            hooks += on_module(f"up_blocks.{number}.resnets.{i}.input", _reweigh(before, b, s))
            before = resnet.out_channels
    return hooks


def _reweigh(channels: int, b: float, s: float) -> Hook:
    def reweighed(event: ModuleEvent) -> Activation:
        half, x = channels // 2, event.activation
        return torch.cat([x[:, :half] * b, x[:, half:channels], _weaken(x[:, channels:], s)], 1)

    return reweighed


def _weaken(skip: Tensor, share: float) -> Tensor:
    spectrum = torch.fft.fft2(skip.float())
    for rows, columns in product(LOW, LOW):
        spectrum[..., rows, columns] *= share
    weakened: Tensor = torch.fft.ifft2(spectrum).real
    return weakened.to(skip)
