"""The data set: numbered scenes, their pictures and their latents, cached as arrays.

Scene number i is the same on every machine, so only pictures and latents are stored.
How scenes look is in ``world``, how they are worded in ``captions``.
"""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from sdnb.training.world import SIDE, Scene, draw, is_held_out, sample_scene

SINGLE_SHARE = 0.4
"""Share of scenes with one thing in the U-Net's training: pairs have more to be learned."""

CHUNK = 500
"""Scenes that a worker process renders at a time."""


def numbered_scene(number: int) -> Scene:
    """Scene of the training set; combinations held out for evaluation never occur."""
    random = Random(f"scene 0 {number}")
    scene = sample_scene(random)
    while is_held_out(scene):
        scene = sample_scene(random)
    return scene


@cache
def scene_odds(count: int) -> tuple[float, ...]:
    """Running sums of the odds with which the scenes 0 to ``count`` - 1 are trained on."""
    singles = (len(numbered_scene(number).things) == 1 for number in range(count))
    return tuple(accumulate(SINGLE_SHARE if single else 1 - SINGLE_SHARE for single in singles))


def render_numbers(numbers: Sequence[int]) -> UInt8[np.ndarray, "N H W 3"]:
    """Pictures of numbered scenes."""
    return np.stack([draw(numbered_scene(number)).picture for number in numbers])


def load_pictures(path: Path, count: int, workers: int = 2) -> UInt8[np.ndarray, "N H W 3"]:
    """Pictures of the scenes 0 to ``count`` - 1; rendered once, then read from ``path``."""
    if not path.exists():
        pictures = np.empty((count, SIDE, SIDE, 3), np.uint8)
        chunks = [range(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
        with get_context("spawn").Pool(workers) as pool:
            for chunk, part in zip(chunks, pool.imap(render_numbers, chunks), strict=True):
                pictures[chunk.start : chunk.stop] = part
        np.save(path, pictures)
    cached: np.ndarray = np.load(path, mmap_mode="r")
    return cached[:count]


def to_images(pictures: UInt8[np.ndarray, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
    """Pictures of bytes as images from -1 to 1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2) / 127.5 - 1


def to_pictures(images: Float[Tensor, "B 3 H W"]) -> UInt8[np.ndarray, "B H W 3"]:
    """Images from -1 to 1 as pictures of bytes."""
    scaled = (images.float() * 127.5 + 128).clamp(0, 255)
    return scaled.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()


def sample_crops(
    pictures: UInt8[np.ndarray, "N H W 3"], count: int, side: int, random: Random
) -> Float[Tensor, "B 3 side side"]:
    """Square crops of random scenes, each about a thing of its scene."""
    crops = []
    for _ in range(count):
        number = random.randrange(len(pictures))
        thing = random.choice(numbered_scene(number).things)
        left, top = (
            round(min(max(middle - side / 2 + random.uniform(-16, 16), 0), SIDE - side))
            for middle in thing.centre
        )
        crops.append(pictures[number, top : top + side, left : left + side])
    return to_images(np.stack(crops))
