"""From a reference to a file or folder, wherever it is: shipped, on disk, on a hub.

A reference is one of these, tried in this order::

    tiny                              the model that ships inside
    ~/models/photon.safetensors       a file in the original layout
    ~/models/my-model                 a folder in diffusers' layout
    photon, photon.safetensors        a name in a folder of `sdnb.models.model_folders`
    org/name, org/name@revision       a repository of the hub
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from sdnb.errors import LoadError, UnknownName
from sdnb.models.hub import download
from sdnb.models.model_folders import expanded, model_folders
from sdnb.models.weights import PICKLES

EMBEDDED = {"tiny": Path(__file__).parent / "tiny"}

WEIGHTS = (".safetensors", *PICKLES)

REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def locate(reference: str) -> Path:
    """Return the checkpoint's file, or its folder in diffusers' layout.

    What the hub has is downloaded to its cache first. Raises `LoadError` or `UnknownName` where
    there is none.
    """
    if found := find_here(reference):
        return found
    path = expanded(reference)
    if path.exists():
        raise LoadError(
            "no checkpoint was found there.",
            given=reference,
            allowed=f"a folder with a model_index.json, or a file {', '.join(WEIGHTS)}",
            fix="name the file in it, or load tiny",
        )
    match = REPOSITORY.fullmatch(reference)
    if match and path.suffix.lower() not in WEIGHTS:
        return download(match[1], match[2])
    raise UnknownName.among(
        "checkpoint",
        reference,
        [*EMBEDDED, *map(name_of, _in_model_folders())],
        fix="a path, a name in a model folder, or org/name of the hub",
    )


def find_here(reference: str) -> Path | None:
    """Return what a reference means on this machine; None for what only a hub may have."""
    path = EMBEDDED.get(reference) or expanded(reference)
    if is_checkpoint(path):
        return path
    if path.exists():
        return None
    # of two with one name the first folder's is meant, and a pickle last
    named: dict[str, Path] = {}
    for each in sorted(_in_model_folders(), key=lambda found: found.suffix.lower() in PICKLES):
        named.setdefault(each.name, each)
        named.setdefault(name_of(each), each)
    return named.get(reference)


def _in_model_folders() -> list[Path]:
    return [each for folder in model_folders() for each in checkpoints_in(folder)]


def name_of(path: Path) -> str:
    """Return the bare name of a checkpoint: its folder's, or its file's without the suffix."""
    return path.name if path.is_dir() else path.stem


def is_checkpoint(path: Path) -> bool:
    """Whether a path leads to what may be one: a folder with an index, or a weights file."""
    try:
        is_folder = (path / "model_index.json").is_file()
        return is_folder or (path.suffix.lower() in WEIGHTS and path.is_file())
    except OSError:
        return False


def checkpoints_in(folder: Path) -> Iterator[Path]:
    """Give what may be a checkpoint in a folder and those inside it, sorted.

    A folder in diffusers' layout is one; the files in it are its parts.
    """
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):  # what cannot be read is left
        inside = Path(place)
        real = inside.resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        if inside != folder and is_checkpoint(inside):
            folders.clear()
            yield inside
            continue
        yield from (inside / name for name in sorted(files) if is_checkpoint(inside / name))
