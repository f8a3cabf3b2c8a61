"""Files of textual inversions: found, checked, and read as vectors for text encoders.

Their layouts: one tensor, named as its token (diffusers) or ``emb_params`` (A1111), and in pickles
within ``string_to_param``; for Stable Diffusion XL ``clip_l`` and ``clip_g``. Which tensor is
whose is told by its width.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from sdnb.embedding import SUFFIXES
from sdnb.errors import LoadError
from sdnb.models.model_folders import model_folders, places_of
from sdnb.models.weights import PICKLES, Weights, open_weights

Vectors = Float[Tensor, "N D"]

FOLDER = "embeddings"
"""The folders inside model folders whose files prompts name, in A1111's and ComfyUI's layout."""

SHIPPED = Path(__file__).parent / "tiny_parts" / FOLDER

BY_PART = frozenset({"clip_l", "clip_g", "clip_h"})
"""What the tensors of files are called that are for several text encoders, or say for which."""


def list_embeddings() -> dict[str, Path]:
    """Return what the ``embeddings`` folders inside the model folders hold, by its names.

    ``style`` and, of one that lies deeper, ``people/someone`` too. Of two with one name the first
    folder's is meant, and a pickle last.
    """
    named: dict[str, Path] = {}
    for folder in model_folders():
        for place in sorted(_places_in(folder)):
            files = [each for each in place.rglob("*") if each.suffix.lower() in SUFFIXES]
            for file in sorted(files, key=lambda each: (each.suffix.lower() in PICKLES, each)):
                named.setdefault(file.relative_to(place).with_suffix("").as_posix(), file)
                named.setdefault(file.stem, file)
    return named


def _places_in(folder: Path) -> Iterator[Path]:
    """Give the ``embeddings`` folders; those in them, hidden ones and models are left out."""
    if folder.name.lower() == FOLDER:
        yield folder
        return
    for place, folders, files in os.walk(folder):
        if "model_index.json" in files:
            folders.clear()
        yield from (Path(place, each) for each in folders if each.lower() == FOLDER)
        folders[:] = [each for each in folders if each.lower() != FOLDER and each[0] != "."]


def locate_embedding(reference: str, named: Mapping[str, Path]) -> Path:
    """Return the file that a reference means, given what `list_embeddings` found.

    Raises `LoadError` where there is none.
    """
    bare = next((reference.removesuffix(end) for end in SUFFIXES if reference.endswith(end)), "")
    if found := named.get(reference) or named.get(bare):
        return found
    for place in places_of(reference, SHIPPED):
        if place.suffix.lower() in SUFFIXES and place.is_file():
            return place
    raise LoadError(
        "there is no embedding of this name.",
        given=reference,
        allowed=", ".join([*named, "the path of a file"]),
        fix=f"put its file into a folder {FOLDER} of a model folder, or check the path",
    )


def read_embedding(
    path: Path, widths: Mapping[str, int], *, allow_pickle: bool = False
) -> dict[str, Vectors]:
    """Read the vectors of a file for each of some text encoders, [N, D] of its width D.

    Raises `LoadError`, naming the file, for a pickle that is not allowed, for one that is broken
    or something else, and for one that was made for other text encoders.
    """
    if path.suffix.lower() in PICKLES and not allow_pickle:
        raise LoadError(
            "this embedding is a pickle: opening it can run whatever its maker put there.",
            given=str(path),
            allowed="a .safetensors file",
            fix="take its .safetensors version; or if you trust it, load the checkpoint with "
            "allow_pickle=True (in a cell %sd load REF --allow-pickle), which reads tensors only",
        )
    with open_weights(path, allow_pickle=allow_pickle) as weights:
        parts = _parts(weights)
    fitting = {
        folder: next((each for each in parts if each.shape[1] == width), None)
        for folder, width in widths.items()
    }
    found = {folder: each for folder, each in fitting.items() if each is not None}
    if len(found) < len(widths):
        raise LoadError(
            "this embedding was made for another family of models than the loaded one.",
            given=f"{path}: vectors of {_and(each.shape[1] for each in parts)}",
            allowed=f"vectors of {_and(widths.values())}",
            fix="take one for the checkpoint's family, or leave it out of the prompt",
        )
    if len({len(each) for each in found.values()}) > 1:
        raise _no_embedding(weights)
    return found


def _parts(weights: Weights) -> list[Vectors]:
    names = list(weights.shapes)
    is_one = len(names) == 1 or (names and set(names) <= BY_PART)
    if "emb_params" in names:
        names, is_one = ["emb_params"], True
    if not is_one or any(len(weights.shapes[name]) not in (1, 2) for name in names):
        raise _no_embedding(weights)
    tensors = [weights.read(name) for name in names]
    if not all(each.is_floating_point() and each.numel() for each in tensors):
        raise _no_embedding(weights)
    # a copy: the file may change while the vectors live
    return [each.float().reshape(-1, each.shape[-1]).clone() for each in tensors]


def _no_embedding(weights: Weights) -> LoadError:
    return LoadError(
        "this file is no textual inversion.",
        given=f"{weights.path}: {len(weights.shapes)} tensors, {', '.join([*weights.shapes][:3])}",
        allowed="one tensor of vectors, or clip_l and clip_g with as many",
        fix="a checkpoint is loaded by sdnb.load, a LoRA by --lora",
    )


def _and(numbers: object) -> str:
    return " and ".join(map(str, numbers))  # type: ignore[call-overload]
