"""Captioned pictures, few enough to be learned in minutes: two sets of the world, and one's own."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL.Image import Image, fromarray
from PIL.ImageOps import fit

from sdnb.errors import InvalidField
from sdnb.picture import Picture
from sdnb.training.captions import write_prompt
from sdnb.training.lora import ink
from sdnb.training.world import SIDE, Scene, Thing, draw, is_held_out, sample_single

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

KINDS = ("circle", "star", "house")
HUES = ("red", "yellow", "green", "blue")
PLACES = {
    "meadow": "on a meadow",
    "desert": "in the desert",
    "snow": "in the snow",
    "sea": "at sea",
}

MOST = 1000
"""Pictures of a folder, at most: they are held in memory."""


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Pictures of one size, each with its caption."""

    pictures: tuple[Image, ...]
    captions: tuple[str, ...]


def little_world(size: int = SIDE) -> PictureSet:
    """Return three kinds of things in four colours at four places, without some combinations."""
    scenes = [_scene(kind, hue, place) for kind in KINDS for hue in HUES for place in PLACES]
    known = [scene for scene in scenes if not is_held_out(scene)]
    return PictureSet(tuple(_drawn(scene, size) for scene in known), tuple(map(_caption, known)))


def ten_in_ink(size: int = SIDE) -> PictureSet:
    """Return ten pictures in the style *ink*; their captions say nothing of it."""
    random, scenes = Random("ten"), list[Scene]()
    while len(scenes) < 10:
        scene = sample_single(random)
        if not is_held_out(scene):
            scenes.append(scene)
    captions = tuple(write_prompt(scene, random) for scene in scenes)
    return PictureSet(tuple(_drawn(ink(scene), size) for scene in scenes), captions)


def read_folder(folder: Path, size: int) -> PictureSet:
    """Return a folder's pictures, cut to a square of ``size`` pixels, in the order of their names.

    The caption of ``cat.png`` is in ``cat.txt``; without that file it is empty.

    Raises `InvalidField` as `picture_files` does, and for a broken picture.
    """
    files = picture_files(folder)
    pictures = tuple(fit(Picture.read(each).open(), (size, size)) for each in files)
    return PictureSet(pictures, tuple(map(_written_caption, files)))


def picture_files(folder: Path) -> list[Path]:
    """Return a folder's pictures by name; nothing is opened.

    Raises `InvalidField` where there is no such folder, and where it holds none, or too many.
    """
    try:
        files = sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES)
    except (OSError, ValueError):  # ValueError: no folder can have such a name
        files = []
    if not 0 < len(files) <= MOST:
        raise InvalidField(
            "this takes a folder of pictures.",
            given=f"{folder}: {len(files)} pictures",
            allowed=f"a folder with 1 … {MOST} files of {', '.join(SUFFIXES)}",
            fix="name the folder in which they lie themselves",
        )
    return files


def _written_caption(picture: Path) -> str:
    written = picture.with_suffix(".txt")
    return written.read_text("utf-8", "replace").strip() if written.is_file() else ""


def _scene(kind: str, colour: str, place: str) -> Scene:
    thing = Thing(kind=kind, colour=colour, size="large", centre=(64.0, 64.0), extent=66.0)
    return Scene(place, (thing,))


def _caption(scene: Scene) -> str:
    (thing,) = scene.things
    return f"a {thing.colour} {thing.kind} {PLACES[scene.background]}"


def _drawn(scene: Scene, size: int) -> Image:
    return fit(fromarray(draw(scene).picture), (size, size))
