"""IP-Adapter files: found, checked against a U-Net, and read by diffusers.

They hold a projection of what an image encoder saw, and for each layer of cross-attention keys
and values of it. IP-Adapters for faces read the vectors of a face detector, and are refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdnb.errors import LoadError
from sdnb.models.model_folders import places_of
from sdnb.models.weights import BROKEN, Weights, open_weights

SHIPPED = Path(__file__).parent / "tiny_parts" / "ip_adapter"

PARTS = ("image_proj", "ip_adapter")

SUMMARY, WHOLE, PLUS = "proj.weight", "proj.3.weight", "proj_in.weight"
"""Tensors by which the kinds of projections are told: plain, full-face, plus."""

FIRST = (SUMMARY, "proj.0.weight", PLUS)
"""The first matrix of a projection; its rows are as wide as what it reads."""

# diffusers' networks, processors and loaders are only partly typed
Network = Any


@dataclass(frozen=True, eq=False, kw_only=True)
class Worn:
    """An IP-Adapter that was read.

    Parameters
    ----------
    project : network
        What an image encoder saw -> what the U-Net reads, [1, T, D].
    keys_values : mapping
        Layer of cross-attention -> diffusers' attention to text and the picture.
    width : int
        Values of each vector that ``project`` reads.
    reads_summary : bool
        Whether it reads an image encoder's summary of a picture; else its patches.
    """

    project: Network
    keys_values: Mapping[str, Network]
    width: int
    reads_summary: bool

    def attention(self, parts: Sequence[Network], weights: Sequence[float]) -> Network:
        """Return attention to text and to several adapters' pictures, each with its weight."""
        first = parts[0]
        with torch.device("meta"):  # it has no weights of its own
            joined = type(first)(
                hidden_size=first.hidden_size,
                cross_attention_dim=first.to_k_ip[0].in_features,
                num_tokens=[each.num_tokens[0] for each in parts],
                scale=list(weights),
            )
        joined.to_k_ip = type(first.to_k_ip)([each.to_k_ip[0] for each in parts])
        joined.to_v_ip = type(first.to_v_ip)([each.to_v_ip[0] for each in parts])
        return joined


def locate_ip_adapter(reference: str) -> Path:
    """Return the file that a reference names; raises `LoadError` where there is none."""
    for place in places_of(reference, SHIPPED):
        if place.is_file():
            return place
    raise LoadError(
        "there is no IP-Adapter of this name.",
        given=reference,
        allowed="a name in a model folder, or the path of a file",
        fix="check the path, relative to the notebook's folder",
    )


def read_ip_adapter(path: Path, unet: Network) -> Worn:
    """Read an IP-Adapter for a U-Net, in its dtype and on its device.

    Raises `LoadError`, naming the file, for one that is broken or something else, and for one
    that was made for other networks.
    """
    with open_weights(path) as weights:
        if {name.partition(".")[0] for name in weights.shapes} != set(PARTS):
            raise _no_ip_adapter(weights)
        state: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        for name in weights.shapes:
            part, _, rest = name.partition(".")
            state[part][rest] = weights.read(name)
    read = state["image_proj"]
    if not {SUMMARY, WHOLE, PLUS} & read.keys():
        raise LoadError(
            "this IP-Adapter reads faces that a detector found, which sdnb has none of.",
            given=str(path),
            allowed="IP-Adapters that read pictures: plain, plus, full-face",
            fix="take ip-adapter-full-face or ip-adapter-plus-face",
        )
    try:
        # diffusers' own converters: they make networks, and leave the U-Net alone
        project = unet._convert_ip_adapter_image_proj_to_diffusers(read, low_cpu_mem_usage=False)
        processors = unet._convert_ip_adapter_attn_to_diffusers([state], low_cpu_mem_usage=False)
    except BROKEN as error:
        raise _stranger(path, " ".join(repr(error).split())[:200]) from error
    first = next(name for name in FIRST if name in read)
    made = {name.removesuffix(".processor"): each for name, each in processors.items()}
    keys_values = {
        name: each.to(unet.device, unet.dtype).requires_grad_(False)
        for name, each in made.items()
        if hasattr(each, "to_k_ip")
    }
    return Worn(
        project=project.to(unet.device, unet.dtype).eval().requires_grad_(False),
        keys_values=keys_values,
        width=read[first].shape[1],
        reads_summary=first == SUMMARY,
    )


def _no_ip_adapter(weights: Weights) -> LoadError:
    return LoadError(
        "this file is no IP-Adapter.",
        given=f"{weights.path}: {len(weights.shapes)} tensors, {', '.join([*weights.shapes][:3])}",
        allowed="a .safetensors file with image_proj and ip_adapter",
        fix="a LoRA is named by --lora, a ControlNet by --control",
    )


def _stranger(path: Path, where: str) -> LoadError:
    return LoadError(
        "this IP-Adapter was made for another family of models than the loaded one.",
        given=f"{path}: {where}",
        allowed="an IP-Adapter for the family of the loaded checkpoint",
        fix="load a checkpoint of its family, or leave it out",
    )
