"""A network that learns data in the plane in seconds, with the loop and loss of large models.

state = TrainState.begin(PointNetwork())
for event in train(state, point_loss(state.model, points), plan):
...
sdnb.sample(state.average.denoise, x, sigmas, "heun")
"""

from itertools import pairwise
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdnb.diffusion.noise_schedules import NoiseSchedule, scaled_linear
from sdnb.diffusion.prediction import eps_from_v, input_scale
from sdnb.shapes import State
from sdnb.training.loop import LossOfStep

Points = Float[Tensor, "B 2"]
Levels = Float[Tensor, "B 1"]

WAVES = 4
"""Frequencies in which the level is told, as sines and cosines of its logarithm."""


class PointNetwork(nn.Module):
    """Three hidden layers that see the noise in noised points.

    Inside they predict a velocity, which is of one size at every level (see
    `sdnb.diffusion.prediction`).
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        sizes = (2 + 2 * WAVES, width, width, width)
        layers: list[nn.Module] = []
        for size, size_next in pairwise(sizes):
            layers += [nn.Linear(size, size_next), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 2))

    def forward(self, x: Points, sigma: Levels) -> Points:
        """Return the noise seen in ``x``."""
        phase = sigma.log() * 2.0 ** torch.arange(-1, WAVES - 1).to(x)
        told = torch.cat([x * input_scale(sigma), phase.sin(), phase.cos()], dim=1)
        velocity: Points = self.layers(told)
        return eps_from_v(velocity, x, sigma)

    @torch.no_grad()
    def denoise(self, x: State, sigma: float) -> State:
        """Return the estimate of the clean points, in x's dtype: a denoiser for `sdnb.sample`."""
        points = x.to(next(self.parameters()))
        seen: Points = self(points, torch.full_like(points[:, :1], max(sigma, 1e-6)))
        return x - sigma * seen.to(x)


def point_loss(
    network: nn.Module,
    data: Float[Tensor, "N 2"],
    *,
    batch: int = 256,
    seed: int = 0,
    noise_schedule: NoiseSchedule | None = None,
) -> LossOfStep:
    """Return the loss of step after step: the mean squared error of the noise.

    Source: Ho et al. 2020 (arXiv:2006.11239), eq. 14. ``network`` is called with noised points and
    their levels [B, 1]; the levels are those of evenly drawn training timesteps, of Stable
    Diffusion's noise schedule if not given.
    """
    points = data.float()
    levels = (noise_schedule or scaled_linear()).sigmas.float()

    def error(step: int) -> Float[Tensor, ""]:
        random = Random(f"points {seed} {step}")
        generator = torch.Generator().manual_seed(random.getrandbits(48))
        chosen = torch.randint(len(points), (batch,), generator=generator)
        t = torch.randint(len(levels), (batch,), generator=generator)
        eps, sigma = torch.randn(batch, 2, generator=generator), levels[t][:, None]
        x = points[chosen] + sigma * eps
        squared: Tensor = (network(x, sigma) - eps).square()
        return squared.mean()

    return lambda step, _progress: [lambda: error(step)]
