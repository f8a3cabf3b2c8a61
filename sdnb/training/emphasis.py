"""Where in a picture errors count more: around the things of its scene.

Things cover a small part of most pictures, so a plain mean would mostly ask about the
background. A weight that depends on the place alone leaves the optimum where it is, the
posterior mean at each place.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.training.dataset import numbered_scene
from sdnb.training.world import SIDE, Scene, Thing

FACTOR = 8
"""Pixels of a picture along one latent."""

MARGIN = 6.0
"""Pixels beyond a thing's extent that still count as it: its outline and what it borders."""

EMPHASIS = 3.0
"""What being inside a thing adds to a weight of 1."""


def cover_thing(thing: Thing) -> Float[Tensor, "h w"]:
    """A disc around a thing, on the latents: 1 inside, 0 outside, soft by a latent's width."""
    middles = FACTOR * (torch.arange(SIDE // FACTOR) + 0.5)
    x, y = thing.centre
    distance = torch.hypot(middles[None, :] - x, middles[:, None] - y)
    return ((thing.extent / 2 + MARGIN - distance) / FACTOR + 0.5).clamp(0, 1)


def weigh_places(scene: Scene) -> Float[Tensor, "1 h w"]:
    """Weight of each latent of a scene; their mean is 1."""
    inside = torch.stack([cover_thing(thing) for thing in scene.things]).amax(0, keepdim=True)
    weight = 1 + EMPHASIS * inside
    return weight / weight.mean()


def weigh_numbered(count: int) -> Float[Tensor, "N 1 h w"]:
    """Weights of the scenes 0 to ``count`` - 1."""
    return torch.stack([weigh_places(numbered_scene(number)) for number in range(count)])
