"""Checkpoints, LoRAs and ControlNets that a file names: whether they are at hand.

Files name them by other programs' names, and perhaps by paths of other machines. Only bare names
are looked up, and only in the user's model folders: no path in a file is opened or looked at.
"""

from pathlib import Path, PurePath

from sdnb.models.checkpoint import EMBEDDED, WEIGHTS, checkpoints_in, name_of
from sdnb.models.hashing import known_hash
from sdnb.models.model_folders import model_folders, places_of
from sdnb.records.report import Line

MOST_LORAS = 100
"""How many LoRAs of a file are read: each is looked for in all model folders."""

_FOLDER = "have it in a model folder: %sd set --models FOLDER --keep"


def bare_name(reference: str) -> str:
    """Return a name without folders and without the suffix of weights."""
    name = PurePath(reference.replace("\\", "/")).name
    is_file = PurePath(name).suffix.lower() in WEIGHTS
    return name[: -len(PurePath(name).suffix)] if is_file else name


def checkpoint_line(what: str, name: str, sha256: str = "") -> Line:
    """Say whether a checkpoint of a bare name is at hand, and is the file that is meant.

    ``sha256`` is its beginning, as far as the file tells it.
    """
    found = _checkpoint(name)
    if found is None:
        return Line(what=what, theirs=name, ours=name, why=f"no checkpoint of this name; {_FOLDER}")
    known = known_hash(found) if found.is_file() else None
    if known and sha256 and not known.startswith(sha256.lower()):
        why = f"another file than the one that drew it, which has the hash {sha256[:12]}"
        return Line(what=what, theirs=name, ours=name, why=why)
    return Line(what=what, theirs=name, ours=name)


def part_line(what: str, name: str, ours: str, shipped: Path) -> Line:
    """Say whether a LoRA or a ControlNet of a bare name is at hand.

    ``shipped`` is the folder of those that are known by their names everywhere.
    """
    places = [place for place in places_of(name, shipped) if place.is_absolute()]
    if any(place.is_file() for place in places):
        return Line(what=what, theirs=name, ours=ours)
    return Line(what=what, theirs=name, ours=ours, why=f"no file of this name; {_FOLDER}")


def _checkpoint(name: str) -> Path | None:
    if name in EMBEDDED:
        return EMBEDDED[name]
    there = (path for folder in model_folders() for path in checkpoints_in(folder))
    return next((path for path in there if name in (path.name, name_of(path))), None)
