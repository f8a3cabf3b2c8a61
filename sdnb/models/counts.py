"""What a configuration counts, held against the tensors that are there.

Networks are built before their weights are read: a file that asks for a million layers would be
built for minutes, and one that asks for vast ones fill the memory, to be found out only then.
"""

from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from torch import nn

from sdnb.errors import LoadError
from sdnb.models.families.family import Shapes
from sdnb.models.weights import open_weights

COUNTS = (
    "num_hidden_layers",
    "layers_per_block",
    "transformer_layers_per_block",
    "reverse_transformer_layers_per_block",
)
"""What counts layers, in the words of diffusers and transformers."""

LEVELS = "block_out_channels"
"""What has an entry for each level of a network."""


def shapes_in(folder: Path) -> Shapes:
    """Return the shapes of all tensors in a folder's safetensors files; raises `LoadError`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with open_weights(path) as weights:
            shapes |= {f"{path.name}: {name}": shape for name, shape in weights.shapes.items()}
    return shapes


def check_counts(config: Mapping[str, Any], shapes: Shapes, path: Path) -> None:
    """Raise `LoadError` where a configuration has more layers than its file has tensors."""
    levels = config.get(LEVELS)
    counts = {name: _most(config.get(name)) for name in COUNTS}
    said = {name: count for name, count in counts.items() if count > 1}
    if isinstance(levels, list | tuple):
        said[f"entries of {LEVELS}"] = len(levels)
    downwards = {name: count for name, count in said.items() if not name.startswith("reverse")}
    if max(prod(downwards.values()), *said.values(), 0) > len(shapes):
        raise LoadError(
            "this configuration has more layers than its file has tensors.",
            given=f"{path}: " + ", ".join(f"{name} {count}" for name, count in said.items()),
            allowed=f"no more layers than tensors: {len(shapes)}",
            fix="take the config.json that was published with the file",
        )


def check_size(network: nn.Module, shapes: Shapes, path: Path) -> None:
    """Raise `LoadError` where a network, built without weights, needs more than a file has."""
    needed = sum(weight.numel() for weight in network.state_dict().values())
    there = sum(map(prod, shapes.values()))
    if needed > there:
        raise LoadError(
            "this configuration needs more weights than its file has: some are missing.",
            given=f"{path}: a {type(network).__name__} of {needed} values",
            allowed=f"no more than the file's {there}",
            fix="take the config.json that was published with the file, or copy both again",
        )


def _most(count: object) -> int:
    """Return a count, or the largest of many."""
    if isinstance(count, Iterable) and not isinstance(count, str):
        return max(map(_most, count), default=0)
    return count if isinstance(count, int) else 0
