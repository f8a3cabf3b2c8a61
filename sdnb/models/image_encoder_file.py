"""Files of CLIP's image encoders: found near an IP-Adapter, and read as networks.

They lie in folders ``image_encoder``, as they were published with IP-Adapters, in one file or in
several with an index, or as single files in a ``clip_vision``, as ComfyUI has them. Their tensors
have CLIP's names or OpenCLIP's, and tell which encoder it is.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from sdnb.errors import LoadError
from sdnb.models.counts import check_counts
from sdnb.models.families.family import Shapes
from sdnb.models.hashing import hash_checkpoint
from sdnb.models.model_folders import model_folders
from sdnb.models.original_names import vision_sources
from sdnb.models.weights import INDEX, Weights, fill, open_weights, said_clearly, shards_of

FOLDERS = ("image_encoder", "clip_vision")
"""What the folders of image encoders are called."""

ACTIVATIONS = MappingProxyType({1024: "quick_gelu", 1280: "gelu", 1664: "gelu"})
"""Width of an encoder's layers -> their activation: CLIP's ViT-L, OpenCLIP's ViT-H and ViT-bigG.

Source: Radford et al. 2021 (arXiv:2103.00020); Cherti et al. 2022 (arXiv:2212.07143).
"""

HEADS = 16
"""Of each layer, in all three."""

PATCH = "vision_model.embeddings.patch_embedding.weight"
PLACES = "vision_model.embeddings.position_embedding.weight"
LAYER = "vision_model.encoder.layers.{}.mlp.fc1.weight"
SUMMARY = "visual_projection.weight"

_PART = re.compile(r"-\d+-of-\d+\.safetensors$")

# transformers' networks and their configurations are only partly typed
Network = Any


def find_image_encoder(adapter: Path, width: int, *, reads_summary: bool) -> Path:
    """Return the file of the image encoder that an IP-Adapter was trained with.

    That is the first whose vectors have ``width`` values, near the adapter's file (beside it, or
    in a folder beside its own) or in a model folder. Raises `LoadError` where there is none.
    """
    name, others = SUMMARY if reads_summary else PATCH, []
    folders = _folders(adapter)
    for path in (path for folder in folders for path in _files(folder)):
        found = _width(path, name)
        if found == width:
            return path
        if found is not None:
            others.append(f"{path} ({found})")
    what = "summary" if reads_summary else "patches"
    pickles = [str(path) for folder in folders for path in sorted(folder.rglob("*.bin"))]
    if pickles and not others:
        raise LoadError(
            "the image encoder of this IP-Adapter is a pickle, which can run any code: not opened.",
            given=f"{adapter}; {', '.join(pickles[:3])}",
            allowed=f"a .safetensors file whose {what} have {width} values",
            fix="download the .safetensors version, which most publishers have beside it",
        )
    raise LoadError(
        "the image encoder that this IP-Adapter sees with was not found.",
        given=f"{adapter}; " + (f"these are others: {', '.join(others)}" if others else "none"),
        allowed=f"an image encoder whose {what} have {width} values",
        fix=f"put its folder, named {FOLDERS[0]}, beside the adapter's file; or its .safetensors "
        f"file into a folder {FOLDERS[1]} beside the adapter's, or of a model folder",
    )


def read_image_encoder(path: Path, like: Network) -> Network:
    """Read an image encoder in the dtype of another network, on its device.

    Raises `LoadError`, naming the file, for one that is broken or of an unknown kind.
    """
    with said_clearly(path, "image encoder"), open_weights(path) as weights:
        with torch.device("meta"):
            kind: Any = CLIPVisionModelWithProjection
            network = kind(_config(weights))
        sources = vision_sources(weights.shapes)
        return fill(network, weights, sources, like.dtype).to(like.device)


def hash_image_encoder(path: Path) -> str:
    """Return the SHA-256 of a file; of an index, that of its files' names and hashes."""
    if not path.name.endswith(INDEX):
        return hash_checkpoint(path)
    lines = [f"{hash_checkpoint(shard)}  {shard.name}\n" for shard in shards_of(path)]
    return sha256("".join(lines).encode()).hexdigest()


def _folders(adapter: Path) -> list[Path]:
    beside = adapter.parent
    folders = [beside / name for name in FOLDERS]
    folders += [each for name in FOLDERS for each in sorted(beside.parent.glob(f"*/{name}"))]
    folders += [beside.parent / name for name in FOLDERS]
    for place in model_folders():
        folders += [each for name in FOLDERS for each in sorted(place.rglob(name))]
    return list(dict.fromkeys(folders))


def _files(folder: Path) -> Iterator[Path]:
    """Give what may be an image encoder: a part of one is not, the index of its parts is."""
    for path in sorted(folder.rglob("*.safetensors*")):
        is_whole = path.suffix == ".safetensors" and not _PART.search(path.name)
        if is_whole or path.name.endswith(INDEX):
            yield path


def _width(path: Path, name: str) -> int | None:
    """Return how many vectors a tensor makes; None where a file has it not."""
    try:
        with open_weights(path) as weights:
            return _rows(weights.shapes, name)
    except LoadError:
        return None


def _rows(shapes: Shapes, name: str) -> int | None:
    """Return how many vectors a tensor makes, by CLIP's name for it."""
    source = vision_sources(shapes)(name)
    shape = shapes.get(source.name, ())
    return next(iter(reversed(shape) if source.is_transposed else shape), None)


def _config(weights: Weights) -> CLIPVisionConfig:
    """Return the configuration that lies beside the weights, or what the tensors tell."""
    beside = weights.path.with_name("config.json")
    if beside.is_file():
        config = CLIPVisionConfig.from_pretrained(beside.parent, local_files_only=True)
        check_counts(config.to_dict(), weights.shapes, beside)
        return config
    return CLIPVisionConfig(**_told_by(weights.shapes, weights.path))


def _told_by(shapes: Shapes, path: Path) -> dict[str, Any]:
    find = vision_sources(shapes)
    width, _, patch, _ = shapes[find(PATCH).name]
    layers = (find(LAYER.format(number)).name for number in range(len(shapes)))
    if width not in ACTIVATIONS:
        raise LoadError(
            "this image encoder is of a kind that its tensors do not tell.",
            given=f"{path}: layers of {width}",
            allowed="ViT-L (1024), ViT-H (1280) and ViT-bigG (1664); others with a config.json",
            fix=f"put it into a folder {FOLDERS[0]}, with the config.json of its publisher",
        )
    side = round((shapes[find(PLACES).name][0] - 1) ** 0.5)  # one place is the summary's
    return {
        "hidden_size": width,
        "intermediate_size": _rows(shapes, LAYER.format(0)),
        "num_hidden_layers": sum(name in shapes for name in layers),
        "num_attention_heads": HEADS,
        "hidden_act": ACTIVATIONS[width],
        "patch_size": patch,
        "image_size": side * patch,
        "projection_dim": _rows(shapes, SUMMARY),
    }
