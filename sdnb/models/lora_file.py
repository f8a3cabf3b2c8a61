"""LoRA files: found, checked, and read as low-rank changes of a checkpoint's layers.

A file is read as a whole or refused as a whole. What its names mean is in
`sdnb.models.lora_names`; what becomes of the networks, in `sdnb.models.lora`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import LoadError
from sdnb.models.hashing import hash_tensors
from sdnb.models.lora_names import Layer, Networks, name_layers
from sdnb.models.model_folders import places_of
from sdnb.models.weights import open_weights, said_clearly

SHIPPED = Path(__file__).parent / "tiny_parts"
"""Folder of the embedded model's own LoRAs, which are called by their bare names."""

PEFT_SETTINGS = "lora_adapter_metadata"
"""What peft's settings, as JSON, are called in a file's header."""

_ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".down.weight": "down",
    ".up.weight": "up",
    ".alpha": "alpha",
}
"""End of a tensor's name -> what it is."""

_LAYER_NAME = re.compile(r"\^?[\w.]+")
"""What peft's settings call a layer: the end of its path, or with ``^`` the whole of it."""

_FAMILIES = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
"""Width of the text that a U-Net reads -> the family it belongs to."""


@dataclass(frozen=True, eq=False)
class Factors:
    """The low-rank change of one layer's weight: ``scale * up @ down``.

    ``down`` is [r, inputs, ...], ``up`` [outputs, r, ...].
    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1; ``scale`` is its alpha / r.
    """

    down: Tensor
    up: Tensor
    scale: float

    def change(self, weight: Float[Tensor, "outputs ..."]) -> Float[Tensor, "outputs ..."]:
        """Return what is added to ``weight``, in float32 on its device."""
        down, up = (
            each.to(weight.device, torch.float32).flatten(1) for each in (self.down, self.up)
        )
        return (self.scale * (up @ down)).reshape(weight.shape)

    def fits(self, weight: Tensor) -> bool:
        """Whether the product has the shape of ``weight``; a 1x1 convolution is a matrix too."""
        return (
            _inputs(self.down) == _inputs(weight)
            and self.up.shape[:1] == weight.shape[:1]
            and _inputs(self.up) == [*self.down.shape[:1]]
        )


def _inputs(weight: Tensor) -> list[int]:
    sizes = [*weight.shape[1:]]
    while sizes[1:] and sizes[-1] == 1:
        sizes.pop()
    return sizes


def locate_lora(reference: str) -> Path:
    """Return the file that a reference names; raises `LoadError` where there is none."""
    found = next((place for place in places_of(reference, SHIPPED) if place.is_file()), None)
    if found is None:
        names = [place.stem for place in sorted(SHIPPED.glob("*.safetensors"))]
        raise LoadError(
            "there is no LoRA of this name.",
            given=reference,
            allowed=", ".join([*names, "a name in a model folder, or the path of a file"]),
            fix="check the path, relative to the notebook's folder",
        )
    if found.suffix != ".safetensors":
        raise LoadError(
            "this LoRA is no safetensors file: others can run any code while they are read.",
            given=str(found),
            allowed="a .safetensors file",
            fix="download it in that format",
        )
    return found


def hash_lora(path: Path) -> str:
    """Return the SHA-256 of a file's tensors, and of peft's settings where its header has some.

    Those decide how much of the tensors is taken; all else in the header may change. A file
    without them has the hash that A1111 and kohya's tools count.
    """
    tensors = hash_tensors(path)
    with open_weights(path) as weights:
        settings = weights.metadata.get(PEFT_SETTINGS)
    return tensors if settings is None else sha256(f"{tensors} {settings}".encode()).hexdigest()


def read_lora(path: Path, networks: Networks) -> dict[Layer, Factors]:
    """Read the changes that a file makes to the layers of some networks.

    Raises `LoadError`, naming the file, for one that is broken, that holds something else than a
    LoRA, and that was made for other networks.
    """
    with said_clearly(path, "LoRA"), open_weights(path) as weights:
        parts = _parted(path, weights.shapes)
        layers = _layers(path, parts, networks)
        settings = _peft_settings(weights.metadata)
        factors = {
            layers[name]: _factors(
                {role: weights.read(key) for role, key in keys.items()},
                layers[name],
                settings,
            )
            for name, keys in parts.items()
        }
    _check_shapes(path, factors, networks)
    return factors


def _parted(path: Path, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Gather a file's tensors by the layer they name: what each is -> its own name."""
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    others = []
    for key in keys:
        end = next((end for end in _ROLES if key.endswith(end)), None)
        if end is None:
            others.append(key)
        else:
            parts[key.removesuffix(end)][_ROLES[end]] = key
    whole = [part for part in parts.values() if {"up", "down"} <= part.keys()]
    if others or not whole or len(whole) < len(parts):
        halves = [key for part in parts.values() if part not in whole for key in part.values()]
        raise LoadError(
            "this file holds something else than a LoRA."
            if not whole
            else "this file holds more than a LoRA's pairs: another kind of adapter.",
            given=f"{path}: {_some([*others, *halves])}",
            allowed="pairs of lora_down and lora_up (or lora_A and lora_B), and their alpha",
            fix="a checkpoint is loaded by sdnb.load; LoHa, LoKr, DoRA: merge them into one",
        )
    return dict(parts)


def _layers(path: Path, parts: Mapping[str, object], networks: Networks) -> dict[str, Layer]:
    known = name_layers(networks)
    unknown = [name for name in parts if name not in known]
    if unknown:
        raise _stranger(path, f"has no layers {_some(unknown)}")
    return {name: known[name] for name in parts}


# the settings are what json.loads gives
def _factors(tensors: Mapping[str, Tensor], layer: Layer, settings: Mapping[str, Any]) -> Factors:
    down, up = tensors["down"], tensors["up"]
    if "alpha" in tensors:
        return Factors(down, up, float(tensors["alpha"]) / len(down))
    return Factors(down, up, _peft_scale(layer, len(down), settings))


def _peft_settings(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return peft's settings in a file's header.

    peft takes regular expressions for names of layers; a file's are not run, as some never end:
    ValueError.
    """
    settings: dict[str, Any] = dict(json.loads(metadata.get(PEFT_SETTINGS, "{}")))
    named = [value for key, value in settings.items() if key.endswith(".alpha_pattern") and value]
    odd = [name for names in named for name in names if not _LAYER_NAME.fullmatch(name)]
    if odd:
        raise ValueError(f"its alpha_pattern is no layer's name: {_some(odd)[:200]}")
    return settings


def _peft_scale(layer: Layer, rank: int, settings: Mapping[str, Any]) -> float:
    """Return alpha / rank as peft's settings have it; without them, 1."""
    network, path = layer
    parts = path.split(".")
    names = [f"^{path}", *(".".join(parts[start:]) for start in range(len(parts)))]
    alphas = settings.get(f"{network}.alpha_pattern") or {}
    every = settings.get(f"{network}.lora_alpha", rank)
    alpha = float(next((alphas[name] for name in names if name in alphas), every))
    return alpha / (sqrt(rank) if settings.get(f"{network}.use_rslora") else rank)


def _check_shapes(path: Path, factors: Mapping[Layer, Factors], networks: Networks) -> None:
    for (network, place), each in factors.items():
        weight = networks[network].get_submodule(place).weight
        if not each.fits(weight):
            width = each.down.shape[1] if place.endswith("attn2.to_k") else 0
            family = f" (it is one of {_FAMILIES[width]})" if width in _FAMILIES else ""
            raise _stranger(
                path,
                f"has {tuple(weight.shape)} at {network}.{place}, "
                f"the file {tuple(each.up.shape)} by {tuple(each.down.shape)}{family}",
            )


def _stranger(path: Path, where: str) -> LoadError:
    return LoadError(
        "this LoRA was made for another family of models than the loaded one.",
        given=f"{path}: the model {where}",
        allowed="a LoRA trained on this checkpoint or on another of its family",
        fix="load a checkpoint of the LoRA's family, or leave the LoRA out",
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
