"""The latent space: what the VAE keeps of a picture, what it costs, and where directions lead.

The latents of a run on its way are in `sdnb.comparison.latents`; ways between two, in
`sdnb.diffusion.interpolation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from time import perf_counter
from typing import Any

from jaxtyping import Float
from PIL.Image import Image, Resampling
from torch import Tensor

from sdnb.comparison.denoising import ask_network
from sdnb.comparison.solution import psnr, rmse
from sdnb.diffusion.interpolation import Between, slerp, way
from sdnb.diffusion.noise import start_noise
from sdnb.errors import InvalidField
from sdnb.events import Hooks, StartEvent
from sdnb.models.vae import decode_latents, encode_images, from_pil, to_pil
from sdnb.pipeline import Pipeline
from sdnb.result import Result
from sdnb.shapes import Images, Latents

BUDGET = 20.0
"""Seconds that measuring the network's time may take before the next size is left out."""

GROWTH = 8.0
"""How many times longer a question at twice the side is taken to last: 4 places, and attention."""


@dataclass(frozen=True, kw_only=True)
class Compression:
    """How many numbers a picture is, in pixels and in latents.

    Parameters
    ----------
    pixels, latents : (int, int, int)
        Channels, height, width.
    """

    pixels: tuple[int, int, int]
    latents: tuple[int, int, int]

    @property
    def values(self) -> tuple[int, int]:
        """Numbers in pixels, and in latents."""
        return prod(self.pixels), prod(self.latents)

    @property
    def ratio(self) -> float:
        """How many times fewer numbers the latents are."""
        return self.values[0] / self.values[1]

    def __str__(self) -> str:
        shapes = ["×".join(map(str, shape)) for shape in (self.pixels, self.latents)]
        (pixels, latents), (many, few) = shapes, self.values
        return f"{pixels} = {many:,} → {latents} = {few:,}: {self.ratio:g} times fewer"


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundTrip:
    """A picture that went through the VAE and back.

    Parameters
    ----------
    picture, decoded : PIL image
        Before and after.
    latents : Tensor [1, C, h, w]
    error : Tensor [H, W]
        Root mean square of the three colours' differences at each pixel, 0 … 1.
    """

    picture: Image
    decoded: Image
    latents: Latents
    error: Float[Tensor, "H W"]

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB; infinite where nothing was lost."""
        return psnr(float(self.error.square().mean().sqrt()))

    @property
    def compression(self) -> Compression:
        """How many numbers it was, and became."""
        channels, height, width = self.latents.shape[1:]
        across, down = self.picture.size
        return Compression(pixels=(3, down, across), latents=(channels, height, width))

    def __repr__(self) -> str:
        return f"<RoundTrip: {self.compression}, PSNR {self.psnr:.1f} dB>"


@dataclass(frozen=True, kw_only=True)
class SizeCost:
    """The time of one question to the U-Net about ``side`` times ``side`` places, in seconds."""

    side: int
    seconds: float


def round_trip(pipe: Pipeline, picture: Image) -> RoundTrip:
    """Encode a picture and decode it again, at its own size in whole latents."""
    factor = pipe.components.latent.factor
    width, height = (max(factor, round(side / factor) * factor) for side in picture.size)
    fitted = picture.convert("RGB").resize((width, height), Resampling.LANCZOS)
    images = from_pil([fitted])
    with pipe.turn():
        latents = encode_images(pipe.components, images)
        decoded = decode_latents(pipe.components, latents).cpu()
    return RoundTrip(
        picture=fitted,
        decoded=to_pil(decoded)[0],
        latents=latents.cpu(),
        error=(decoded - images).square().mean(dim=1).sqrt()[0],
    )


def measure_psnr(images: Images, others: Images) -> float:
    """Return the peak signal-to-noise ratio of pictures to others, in dB; infinite if equal."""
    return psnr(rmse(images.cpu(), others.cpu()))


def compression(pipe: Pipeline, width: int | None = None, height: int | None = None) -> Compression:
    """Count the numbers of a picture in pixels and in latents; at the checkpoint's size if none."""
    spec, size = pipe.components.latent, pipe.components.size
    across, down = width or size, height or size
    return Compression(
        pixels=(3, down, across),
        latents=(spec.channels, down // spec.factor, across // spec.factor),
    )


def measure_sizes(pipe: Pipeline, *, budget: float = BUDGET) -> tuple[SizeCost, ...]:
    """Measure the time of one question to the U-Net: at latent size, and up to pixel size.

    The side is doubled from that of the latents to that of the pixels, as if each pixel were a
    latent. A size that would not fit into the budget is left out, and all above it.

    Parameters
    ----------
    budget : float
        Seconds in all.
    """
    spec, size = pipe.components.latent, pipe.components.size
    ask = ask_network(pipe, {"cond": [""]})
    costs: list[SizeCost] = []
    side, begin = size // spec.factor, perf_counter()
    while side <= size and _fits(costs, perf_counter() - begin, budget):
        x = start_noise((0,), (spec.channels, side, side)).to(pipe.components.device)
        if not costs:
            ask(x, 1.0)  # the first question of all also warms up
        before = perf_counter()
        ask(x, 1.0)["cond"].cpu()  # what a GPU computes is waited for
        costs.append(SizeCost(side=side, seconds=perf_counter() - before))
        side *= 2
    return tuple(costs)


def run_between_seeds(
    pipe: Pipeline,
    prompt: str,
    seeds: tuple[int, int],
    *,
    count: int = 5,
    between: Between = slerp,
    **fields: Any,  # the request's
) -> Result:
    """Draw a prompt from noises on the way between those of two seeds; one batch.

    Parameters
    ----------
    between : callable
        `slerp` keeps the noise as strong as the network expects it; `lerp` does not.
    **fields
        Of `GenerationRequest`: steps, cfg_scale, sampler.

    Raises
    ------
    InvalidField
        With a picture to start from, and with a second pass.
    """
    other = {"start", "hires"} & fields.keys()
    if other:
        raise InvalidField(
            "these runs start from noise alone, in one pass.",
            given=", ".join(sorted(other)),
            allowed="other fields of the request",
            fix="leave it out",
        )

    def start_between(event: StartEvent) -> Latents:
        first, second = (start_noise((seed,), tuple(event.x.shape[1:])) for seed in seeds)
        strength = float(event.x[0].norm()) / float(first.norm())  # image 0 starts at the first
        return (way(first, second, count, between) * strength).to(event.x)

    hooks = Hooks(on_start=(start_between,))
    return pipe.run(prompt, seed=seeds[0], batch_size=count, hooks=hooks, **fields)


def mean_difference(
    those: Latents, others: Latents, mask: Float[Tensor, "B 1 h w"]
) -> Float[Tensor, "C 1 1"]:
    """Return what sets latents apart from others on average, in each channel, where a mask is 1.

    Added to others of the second kind, it is a direction towards the first: an attribute.

    Parameters
    ----------
    those, others : Tensor [B, C, h, w]
        Pairs that differ in the attribute alone.
    mask : Tensor [B, 1, h, w]
        Where the things are, 0 … 1.

    Raises
    ------
    InvalidField
        Where the mask is empty.
    """
    total = float(mask.sum())
    if total <= 0:
        raise InvalidField(
            "the mask leaves nothing to take the mean of.",
            given="a mask of zeros",
            allowed="1 where the things are",
            fix="mask=torch.ones(...) for whole pictures",
        )
    mean: Tensor = ((those - others) * mask).sum(dim=(0, 2, 3)) / total
    return mean[:, None, None]


def disturb_channel(latents: Latents, channel: int, std: float, *, seed: int = 0) -> Latents:
    """Add noise of a standard deviation to one channel; raises `InvalidField` if there is none."""
    if not 0 <= channel < latents.shape[1]:
        raise InvalidField(
            "the latents have no such channel.",
            given=channel,
            allowed=f"0 … {latents.shape[1] - 1}",
            fix="channel=0 is the first",
        )
    disturbed = latents.clone()
    seeds = tuple(range(seed, seed + len(latents)))
    disturbed[:, channel] += std * start_noise(seeds, tuple(latents.shape[2:])).to(latents)
    return disturbed


def lengths(latents: Latents) -> list[float]:
    """Return the root mean square of each of B latents: 1 for unit noise."""
    values: Tensor = latents.float().flatten(1).square().mean(dim=1).sqrt()
    return [float(value) for value in values]


def _fits(costs: Sequence[SizeCost], spent: float, budget: float) -> bool:
    return not costs or spent + GROWTH * costs[-1].seconds <= budget
