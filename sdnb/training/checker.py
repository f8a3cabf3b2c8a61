"""Reading a picture back: which background, which things, where.

The checker knows the world's palette and silhouettes and nothing of any model. How often
it is right about pictures whose truth is known is measured in ``evaluate``.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from math import log

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy import ndimage

from sdnb.training.silhouettes import SILHOUETTES
from sdnb.training.world import (
    BACKGROUNDS,
    COLOURS,
    RELATIONS,
    SIDE,
    SIZES,
    Scene,
    Thing,
    bounding_box,
    draw,
    paint_background,
)

TONE = 15.0
"""How much lighter or darker than the world's a background may be, of 255."""

CONTRAST = 28.0
"""Distance in RGB from the background at which a pixel belongs to a thing."""

LEAST_AREA = 120
"""Pixels under which a spot is not a thing."""

STAMP = 48
"""Side to which silhouettes are scaled before they are compared."""

Mask = Bool[np.ndarray, "H W"]
Stamp = Bool[np.ndarray, "side side"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A thing as read from a picture; ``centre`` and ``box`` are in pixels."""

    kind: str
    colour: str
    centre: tuple[float, float]
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Reading:
    """What a picture shows; things are listed from large to small."""

    background: str
    things: tuple[Seen, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Which parts of a scene a picture has right; ``count`` is the number of things."""

    background: bool
    count: bool
    kinds: bool
    colours: bool
    relation: bool

    @property
    def is_right(self) -> bool:
        """Whether the things are right: how many, of which kinds and colours, and where."""
        return self.count and self.kinds and self.colours and self.relation


def read_picture(picture: UInt8[np.ndarray, "H W 3"]) -> Reading:
    """Find background and things."""
    background, residual = fit_background(picture)
    things = []
    for mask in split_things(residual > CONTRAST):
        y, x = ndimage.center_of_mass(mask)
        seen = Seen(
            kind=name_kind(mask),
            colour=name_colour(picture, mask),
            centre=(x, y),
            box=bounding_box(mask),
        )
        things.append(seen)
    return Reading(background, tuple(things))


def fit_background(picture: UInt8[np.ndarray, "H W 3"]) -> tuple[str, Float[np.ndarray, "H W"]]:
    """The background nearest to most pixels, and each pixel's distance from it."""
    fits = {}
    for name in BACKGROUNDS:
        difference = picture - paint_background(name)
        tone = np.clip(np.median(difference, axis=(0, 1)), -TONE, TONE)
        fits[name] = np.linalg.norm(difference - tone, axis=-1)
    best = min(fits, key=lambda name: float(np.median(fits[name])))
    return best, fits[best]


def split_things(mask: Mask) -> list[Mask]:
    """Separate things, the largest first; specks and frayed edges are dropped."""
    mask = ndimage.binary_opening(ndimage.binary_closing(np.pad(mask, 2)), iterations=1)[2:-2, 2:-2]
    labels, _ = ndimage.label(mask)
    areas = np.bincount(labels.ravel())[1:]
    order = np.argsort(-areas, kind="stable")
    return [labels == number + 1 for number in order if areas[number] >= LEAST_AREA]


def name_colour(picture: UInt8[np.ndarray, "H W 3"], mask: Mask) -> str:
    """The palette's colour nearest to the median inside the outline."""
    inner = ndimage.binary_erosion(mask, iterations=3)
    pixels = picture[inner if inner.sum() > 20 else mask]
    median = np.median(pixels, axis=0)
    return min(COLOURS, key=lambda name: float(np.linalg.norm(median - COLOURS[name])))


def name_kind(mask: Mask) -> str:
    """The kind whose silhouette overlaps best, once both are scaled to the same box."""
    stamp, aspect = scale_to_stamp(mask)
    scores = {
        kind: max(
            overlap(stamp, other) - 0.4 * abs(aspect - other_aspect)
            for other, other_aspect in stamps_of(kind)
        )
        for kind in SILHOUETTES
    }
    return max(scores, key=scores.__getitem__)


@cache
def stamps_of(kind: str) -> tuple[tuple[Stamp, float], ...]:
    """A kind as the world draws it, at every extent, scaled to the box."""
    stamps = []
    for extent in sorted({extent for pair in SIZES.values() for extent in pair}):
        middle = (SIDE / 2, SIDE / 2)
        thing = Thing(kind=kind, colour="red", size="large", centre=middle, extent=extent)
        stamps.append(scale_to_stamp(draw(Scene("sea", (thing,))).masks[0]))
    return tuple(stamps)


def scale_to_stamp(mask: Mask) -> tuple[Stamp, float]:
    """The mask's box, filled out to a square of fixed size, and log(width / height)."""
    left, top, right, bottom = bounding_box(mask)
    crop = Image.fromarray(mask[top:bottom, left:right])
    scaled = crop.convert("L").resize((STAMP, STAMP), Image.Resampling.BILINEAR)
    return np.asarray(scaled) > 127, log((right - left) / (bottom - top))


def overlap(first: Stamp, second: Stamp) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def name_relation(first: Seen, second: Seen) -> str:
    """On which side of the second thing the first one is."""
    x = first.centre[0] - second.centre[0]
    y = first.centre[1] - second.centre[1]
    step = (int(np.sign(x)), 0) if abs(x) > abs(y) else (0, int(np.sign(y)))
    return next((name for name, side in RELATIONS.items() if side == step), "on")


def judge(reading: Reading, scene: Scene) -> Verdict:
    """Compare a reading with what was asked."""
    verdict = judge_pairing(reading.background, match_things(reading, scene), scene)
    return replace(verdict, count=len(reading.things) == len(scene.things))


def match_things(reading: Reading, scene: Scene) -> tuple[Seen, ...]:
    """The seen things in the order of the scene's, matched as well as they can be.

    Empty when fewer are seen than were asked for.
    """

    def rank(things: tuple[Seen, ...]) -> tuple[bool, int, bool]:
        verdict = judge_pairing(reading.background, things, scene)
        return verdict.is_right, verdict.kinds + verdict.colours, verdict.relation

    return max(permutations(reading.things, len(scene.things)), key=rank, default=())


def judge_pairing(background: str, things: tuple[Seen, ...], scene: Scene) -> Verdict:
    """Compare things, in the order in which the scene lists its own."""
    found = len(things) == len(scene.things)
    pairs = list(zip(things, scene.things, strict=False))
    return Verdict(
        background=background == scene.background,
        count=found,
        kinds=found and all(seen.kind == thing.kind for seen, thing in pairs),
        colours=found and all(seen.colour == thing.colour for seen, thing in pairs),
        relation=found and (scene.relation is None or name_relation(*things) == scene.relation),
    )
