"""Where things stand on the latents, and how much more errors count there.

Things cover a small part of most pictures, so a plain mean would mostly ask about the
background. A weight that depends on the place alone leaves the optimum where it is, the
posterior mean at each place.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.training.dataset import numbered_scene
from sdnb.training.world import SIDE, Scene, Thing

THINGS = 2
"""Things of a scene, at most."""

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


def cover_things(scene: Scene) -> Float[Tensor, "T h w"]:
    """The discs of a scene's things; empty ones for the things that it has less than `THINGS`."""
    covers = torch.zeros(THINGS, SIDE // FACTOR, SIDE // FACTOR)
    for cover, thing in zip(covers, scene.things, strict=False):
        cover.copy_(cover_thing(thing))
    return covers


def cover_numbered(count: int) -> Float[Tensor, "N T h w"]:
    """The discs of the scenes 0 to ``count`` - 1."""
    return torch.stack([cover_things(numbered_scene(number)) for number in range(count)])


def weigh_places(covers: Float[Tensor, "N T h w"]) -> Float[Tensor, "N 1 h w"]:
    """Weight of each latent of some scenes; their mean in a scene is 1."""
    weight = 1 + EMPHASIS * covers.amax(1, keepdim=True)
    return weight / weight.mean((1, 2, 3), keepdim=True)
