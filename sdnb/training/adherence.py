"""What a ControlNet of the embedded model sees of a scene, and how well runs keep to it.

The ControlNets are trained in ``control``; the things of a picture are found by ``checker``.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import fmean
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy import ndimage

from sdnb.control import Control
from sdnb.lockstep import lockstep
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.picture import Picture
from sdnb.pipeline import Pipeline
from sdnb.training.captions import write_prompt
from sdnb.training.checker import CONTRAST, fit_background, overlap, split_things
from sdnb.training.evaluate import FIRST_SEED, unseen_scenes
from sdnb.training.generate import exhaust
from sdnb.training.world import SIDE, Drawing, Scene, draw, lowest_point, sample_pair, sample_single

Pixels = UInt8[np.ndarray, "H W"]


def depth(scene: Scene, drawing: Drawing) -> Pixels:
    """How near things are, as grey: the background black, things lighter the lower they stand."""
    shown = np.zeros((SIDE, SIDE), np.uint8)
    for thing, mask in zip(scene.things, drawing.masks, strict=True):
        shown[mask] = round(255 * (1 + min(lowest_point(thing) / SIDE, 1.0)) / 2)
    return shown


def edges(_scene: Scene, drawing: Drawing) -> Pixels:
    """The borders of things, white lines of two pixels on black."""
    shown = np.zeros((SIDE, SIDE), np.uint8)
    for mask in drawing.masks:
        shown[ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask)] = 255
    return shown


KINDS: Mapping[str, Callable[[Scene, Drawing], Pixels]] = MappingProxyType(
    {"depth": depth, "edge": edges}
)
"""Name of a ControlNet -> what it sees of a scene."""


def measure_adherence(
    pipe: Pipeline, kind: str, reference: str, count: int, weight: float = 1.0
) -> dict[str, float]:
    """How well pictures of unseen scenes keep to what the ControlNet sees of them.

    Returns
    -------
    dict of str to float
        ``iou``: intersection over union of all things as they were drawn and as they came out,
        its mean over the scenes; ``kept``: the share of scenes in which it is 0.7 or more.
    """
    half = (count + 1) // 2
    scenes = unseen_scenes(sample_single, half, 5) + unseen_scenes(sample_pair, count - half, 5)
    drawings = [draw(scene) for scene in scenes]
    controls = [
        Control(
            picture=Picture.of(Image.fromarray(KINDS[kind](scene, drawing))),
            reference=reference,
            weight=weight,
        )
        for scene, drawing in zip(scenes, drawings, strict=True)
    ]
    random = Random("control")
    pictures = draw_steered(pipe, [write_prompt(scene, random) for scene in scenes], controls)
    overlaps = [
        overlap(things_in(picture), covered(drawing))
        for picture, drawing in zip(pictures, drawings, strict=True)
    ]
    kept = fmean(each >= 0.7 for each in overlaps)
    return {"iou": round(fmean(overlaps), 4), "kept": round(kept, 4)}


def covered(drawing: Drawing) -> Bool[np.ndarray, "H W"]:
    """Where a scene has things."""
    return np.asarray(drawing.masks.any(axis=0))


def things_in(picture: UInt8[np.ndarray, "H W 3"]) -> Bool[np.ndarray, "H W"]:
    """Where a picture shows things."""
    _, residual = fit_background(picture)
    shown = np.zeros(residual.shape, bool)
    for mask in split_things(residual > CONTRAST):
        shown |= mask
    return shown


def draw_steered(
    pipe: Pipeline, prompts: Sequence[str], controls: Sequence[Control], batch: int = 12
) -> UInt8[np.ndarray, "N H W 3"]:
    """Pictures of many prompts, each with its own control, side by side."""
    networks = Networks(Denoiser(pipe.components))
    runs = [
        pipe.start(prompt, seed=FIRST_SEED + number, controls=(control,), keep="none")
        for number, (prompt, control) in enumerate(zip(prompts, controls, strict=True))
    ]
    with pipe.turn():
        for first in range(0, len(runs), batch):
            exhaust(lockstep(networks, runs[first : first + batch]))
    return np.stack([np.asarray(run.finish().images[0]) for run in runs])
