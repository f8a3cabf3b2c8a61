"""The procedural world: captioned scenes with exact masks, boxes and depth.

Here are the words of the world, its scenes and how they are drawn. The outlines
are in ``silhouettes``, the wording of captions in ``captions``.
"""

from dataclasses import dataclass
from functools import cache
from random import Random
from zlib import crc32

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from sdnb.training.silhouettes import SILHOUETTES, Polygon

SIDE = 128
"""Width and height of a picture, in pixels."""

SUPERSAMPLING = 4
OUTLINE = 1.6
"""Width of the darker outline around a thing, in pixels."""

GRID = 8
"""Pixels between the places where things may stand: one latent.

A thing that moves by whole latents moves its latents and changes nothing else in them, so
that a small network learns what a kind looks like once, not for every fraction of a latent.
"""

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (215, 38, 38),
    "orange": (247, 140, 30),
    "yellow": (246, 222, 42),
    "green": (38, 145, 58),
    "blue": (42, 78, 214),
    "purple": (128, 52, 172),
    "pink": (250, 128, 180),
    "brown": (122, 76, 40),
    "black": (24, 24, 28),
    "white": (252, 252, 252),
}
SIZES: dict[str, tuple[float, float]] = {"small": (38.0, 36.0), "large": (66.0, 50.0)}
"""Extent of a thing in pixels: alone in its scene, or one of two."""

RELATIONS: dict[str, tuple[int, int]] = {
    "left of": (-1, 0),
    "right of": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
}
"""Side of the second thing on which the first one is, as (x, y) with y down."""

OPPOSITES = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
"""Side of the first thing on which the second one is."""


@dataclass(frozen=True)
class Background:
    """Two soft vertical gradients that meet at ``horizon``, a share of the height."""

    sky: tuple[Colour, Colour]
    ground: tuple[Colour, Colour]
    horizon: float = 0.6


BACKGROUNDS: dict[str, Background] = {
    "meadow": Background(((186, 216, 234), (208, 228, 236)), ((182, 208, 152), (160, 190, 128))),
    "desert": Background(((238, 226, 200), (244, 232, 206)), ((228, 204, 152), (214, 186, 132))),
    "snow": Background(((164, 178, 198), (184, 196, 212)), ((208, 218, 230), (198, 210, 226))),
    "sea": Background(((206, 220, 228), (218, 228, 232)), ((122, 170, 186), (98, 148, 170))),
    "night": Background(((66, 70, 104), (84, 86, 122)), ((92, 98, 110), (80, 86, 98))),
    "room": Background(((212, 192, 200), (206, 186, 196)), ((172, 146, 136), (160, 134, 126))),
}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One thing of a scene; ``centre`` (x, y) and ``extent`` are in pixels."""

    kind: str
    colour: str
    size: str
    centre: tuple[float, float]
    extent: float


@dataclass(frozen=True)
class Scene:
    """A background with one thing, or two of which the first is ``relation`` the second."""

    background: str
    things: tuple[Thing, ...]
    relation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A drawn scene and its ground truth; things are listed as in the scene.

    ``boxes`` are (left, top, right, bottom), right and bottom excluded, and
    ``order`` lists the things from far to near: nearer things stand lower.
    """

    picture: UInt8[np.ndarray, "H W 3"]
    masks: Bool[np.ndarray, "N H W"]
    boxes: tuple[tuple[int, int, int, int], ...]
    order: tuple[int, ...]


def draw(scene: Scene) -> Drawing:
    """Paint a scene from far to near; what a nearer thing hides leaves the mask."""
    canvas = paint_background(scene.background)
    coverage = np.zeros((len(scene.things), SIDE, SIDE), np.float32)
    order = sorted(range(len(scene.things)), key=lambda i: lowest_point(scene.things[i]))
    for i in order:
        layer, alpha = draw_thing(scene.things[i])
        canvas = canvas + alpha[..., None] * (layer - canvas)
        coverage *= 1 - alpha
        coverage[i] = alpha
    masks = coverage > 0.5
    return Drawing(
        picture=np.clip(canvas + 0.5, 0, 255).astype(np.uint8),
        masks=masks,
        boxes=tuple(bounding_box(mask) for mask in masks),
        order=tuple(order),
    )


@cache
def paint_background(name: str) -> Float[np.ndarray, "H W 3"]:
    """Background without things, 0 to 255."""
    background = BACKGROUNDS[name]
    height = (np.arange(SIDE, dtype=np.float32)[:, None] + 0.5) / SIDE
    sky_share = np.clip(height / background.horizon, 0, 1)
    ground_share = np.clip((height - background.horizon) / (1 - background.horizon), 0, 1)
    sky = blend(background.sky, sky_share)
    ground = blend(background.ground, ground_share)
    soft_edge = np.clip((height - background.horizon) * SIDE / 3 + 0.5, 0, 1)
    rows = sky + soft_edge * (ground - sky)
    return np.broadcast_to(rows[:, None], (SIDE, SIDE, 3))


def blend(
    colours: tuple[Colour, Colour], share: Float[np.ndarray, "H 1"]
) -> Float[np.ndarray, "H 3"]:
    """Mixture of two colours, row by row."""
    first, second = (np.asarray(colour, np.float32) for colour in colours)
    mixed: np.ndarray = first + share * (second - first)
    return mixed


def draw_thing(thing: Thing) -> tuple[Float[np.ndarray, "H W 3"], Float[np.ndarray, "H W"]]:
    """Colours (0 to 255) of one thing and how much of each pixel it covers (0 to 1)."""
    silhouette = SILHOUETTES[thing.kind]
    fill, dark = COLOURS[thing.colour], outline_colour(thing.colour)
    layer = Image.new("RGB", (SIDE * SUPERSAMPLING,) * 2, dark)
    cover = Image.new("L", layer.size, 0)
    colour_pen, cover_pen = ImageDraw.Draw(layer), ImageDraw.Draw(cover)
    for part in silhouette.parts:
        corners = place(part, thing)
        cover_pen.polygon(corners, fill=255)
        width = round(2 * OUTLINE * SUPERSAMPLING)
        cover_pen.line([*corners, *corners[:2]], fill=255, width=width, joint="curve")
        colour_pen.polygon(corners, fill=fill)
    for detail in silhouette.details:
        colour_pen.polygon(place(detail, thing), fill=dark)
    colours = np.asarray(layer.reduce(SUPERSAMPLING), np.float32)
    return colours, np.asarray(cover.reduce(SUPERSAMPLING), np.float32) / 255


def place(polygon: Polygon, thing: Thing) -> list[tuple[float, float]]:
    """Corners of a polygon on the supersampled canvas."""
    (x0, y0), radius = thing.centre, thing.extent / 2
    return [
        ((x0 + radius * x) * SUPERSAMPLING, (y0 + radius * y) * SUPERSAMPLING) for x, y in polygon
    ]


def outline_colour(name: str) -> Colour:
    """A darker tone of the colour; of black, a lighter one."""
    target, share = (255, 0.3) if name == "black" else (0, 0.3)
    red, green, blue = (round(c + share * (target - c)) for c in COLOURS[name])
    return red, green, blue


def lowest_point(thing: Thing) -> float:
    """Where the thing stands: the lower edge of its extent, in pixels from the top."""
    return thing.centre[1] + thing.extent / 2


def bounding_box(mask: Bool[np.ndarray, "H W"]) -> tuple[int, int, int, int]:
    """Smallest (left, top, right, bottom) around a mask; zeros when it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def sample_scene(random: Random) -> Scene:
    """A scene drawn at random: as often with one thing as with two."""
    return sample_single(random) if random.random() < 0.5 else sample_pair(random)


def sample_single(random: Random) -> Scene:
    """A scene of one thing, not far from the middle."""
    size = random.choice(list(SIZES))
    centre = (SIDE / 2 + GRID * random.randint(-2, 2), SIDE / 2 + GRID * random.randint(-2, 2))
    thing = Thing(
        kind=random.choice(list(SILHOUETTES)),
        colour=random.choice(list(COLOURS)),
        size=size,
        centre=centre,
        extent=SIZES[size][0],
    )
    return Scene(random.choice(list(BACKGROUNDS)), (thing,))


def sample_pair(random: Random) -> Scene:
    """A scene of two things of different kinds and colours that do not overlap."""
    relation = random.choice(list(RELATIONS))
    kinds = random.sample(list(SILHOUETTES), 2)
    colours = random.sample(list(COLOURS), 2)
    sizes = random.choices(list(SIZES), k=2)
    side_x, side_y = RELATIONS[relation]
    things = []
    for sign, kind, colour, size in zip((1, -1), kinds, colours, sizes, strict=True):
        offset, across = sign * 4 * GRID, GRID * random.randint(-1, 1)
        x = SIDE / 2 + (side_x * offset if side_x else across)
        y = SIDE / 2 + (side_y * offset if side_y else across)
        extent = SIZES[size][1]
        things.append(Thing(kind=kind, colour=colour, size=size, centre=(x, y), extent=extent))
    return Scene(random.choice(list(BACKGROUNDS)), tuple(things), relation)


def order_things(scene: Scene) -> tuple[Thing, ...]:
    """The things of a scene from left to right, or from the top down."""
    is_turned = scene.relation in ("right of", "below")
    return scene.things[::-1] if is_turned else scene.things


def is_held_out(scene: Scene) -> bool:
    """Whether training never sees this combination: one in ten, kept for evaluation.

    A combination is kind, colour and background of a single thing, or the kinds,
    colours and relation of a pair, in either order of its two things.
    """
    names = [f"{thing.colour} {thing.kind}" for thing in order_things(scene)]
    if scene.relation is None:
        key = f"{names[0]} {scene.background}"
    else:
        axis = "left of" if RELATIONS[scene.relation][0] else "above"
        key = f"{names[0]} {axis} {names[1]}"
    return crc32(key.encode()) % 10 == 0
