"""ControlNet files: found, checked against a U-Net, and read as networks of its kind.

A folder in diffusers' layout tells its configuration. A single file does not: its tensors do, and
the U-Net that it is to steer.
"""

import json
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel

from sdnb.errors import LoadError, reason_of
from sdnb.models.counts import check_counts
from sdnb.models.model_folders import places_of
from sdnb.models.original_names import Source, Sources, control_sources
from sdnb.models.weights import PICKLES, Weights, fill, open_weights

SHIPPED = Path(__file__).parent / "tiny_parts" / "controlnet"
"""Folder of the embedded model's own ControlNets, which are called by their bare names."""

FILES = tuple(f"diffusion_pytorch_model{kind}.safetensors" for kind in ("", ".fp16"))
"""What a folder in diffusers' layout calls the weights."""

EYE = "controlnet_cond_embedding.conv_in.weight"
"""The tensor that sees the picture: no other kind of network has it."""

# diffusers' networks and their configurations are only partly typed
Network = Any
Config = Mapping[str, Any]


def locate_controlnet(reference: str) -> Path:
    """Return the weights file of a ControlNet; raises `LoadError` where there is none."""
    for place in places_of(reference, SHIPPED):
        if place.suffix.lower() in (".safetensors", *PICKLES) and place.is_file():
            return place
        inside = next((place / name for name in FILES if (place / name).is_file()), None)
        if inside is not None:
            return inside
    names = [place.stem for place in sorted(SHIPPED.glob("*.safetensors"))]
    raise LoadError(
        "there is no ControlNet of this name.",
        given=reference,
        allowed=", ".join([*names, "a name in a model folder, the path of a file or folder"]),
        fix="check the path, relative to the notebook's folder",
    )


def read_controlnet(path: Path, unet: Network) -> Network:
    """Read a ControlNet for a U-Net, in its dtype and on its device.

    Raises `LoadError`, naming the file, for one that is broken, that holds something else than a
    ControlNet, and that was made for other networks.
    """
    with open_weights(path) as weights:
        sources = _sources(weights, unet)
        config = _told(path) or _inferred(weights, sources, unet)
        check_counts(config, weights.shapes, path)
        network = _empty(path, config)
        _check_fit(path, network.config, unet.config)
        _check_tensors(weights, sources, network)
        return fill(network, weights, sources, unet.dtype).to(unet.device)


def _sources(weights: Weights, unet: Network) -> Sources:
    """Return where tensors are in the file's layout, diffusers' or the original."""
    if EYE in weights.shapes:
        return Source
    for prefix in ("control_model.", ""):
        find = control_sources(unet.config.layers_per_block, prefix)
        if find(EYE).name in weights.shapes:
            return find
    raise LoadError(
        "this file is no ControlNet.",
        given=f"{weights.path}, {len(weights.shapes)} tensors",
        allowed="a ControlNet in diffusers' layout, or in the original one (control_model...)",
        fix="a checkpoint is loaded by sdnb.load, a LoRA by --lora; T2I adapters are not known",
    )


def _told(path: Path) -> Config | None:
    """Return the configuration that lies beside the weights of a folder."""
    config = path.parent / "config.json"
    if path.name not in FILES or not config.is_file():
        return None
    try:
        told = dict(json.loads(config.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise _broken(config, error) from error
    if told.get("_class_name") != "ControlNetModel":
        raise LoadError(
            "this kind of ControlNet is not known.",
            given=f"{told.get('_class_name')}: {path.parent}",
            allowed="ControlNetModel",
            fix="take a ControlNet for Stable Diffusion 1, 2 or XL that does one thing",
        )
    return told


def _inferred(weights: Weights, sources: Sources, unet: Network) -> Config:
    """Return the U-Net's configuration, with what the file's tensors say is other."""
    shapes, config = weights.shapes, unet.config
    width = f"{EYE.removesuffix('conv_in.weight')}blocks.{{}}.weight"
    eye = [sources(EYE).name, *(sources(width.format(2 * i + 1)).name for i in range(3))]
    levels = [f"down_blocks.{i}" for i in range(len(config["block_out_channels"]))]

    def depth(block: str) -> int:
        names = (f"{block}.attentions.0.transformer_blocks.{k}.norm1.weight" for k in range(100))
        return sum(sources(name).name in shapes for name in names)

    deepest = depth("mid_block")
    down = [depth(level) for level in levels]
    return {
        **{key: config[key] for key in signature(ControlNetModel).parameters if key in config},
        "in_channels": config["out_channels"],
        "conditioning_embedding_out_channels": tuple(
            shapes[name][0] for name in eye if name in shapes
        ),
        "down_block_types": tuple(
            "CrossAttnDownBlock2D" if count else "DownBlock2D" for count in down
        ),
        "mid_block_type": "UNetMidBlock2DCrossAttn" if deepest else "UNetMidBlock2D",
        "transformer_layers_per_block": tuple(
            count or (deepest if level == levels[-1] else 0) or 1
            for level, count in zip(levels, down, strict=True)
        ),
    }


def _empty(path: Path, config: Config) -> Network:
    try:
        with torch.device("meta"):
            network: Network = ControlNetModel.from_config(dict(config))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _broken(path, error) from error
    return network


def _check_fit(path: Path, config: Config, unet: Config) -> None:
    """Raise `LoadError` where what it adds is not what the U-Net has."""
    wanted = {
        **{
            name: unet[name]
            for name in (
                "cross_attention_dim",
                "block_out_channels",
                "layers_per_block",
                "addition_embed_type",
                "projection_class_embeddings_input_dim",
            )
        },
        "in_channels": unet["out_channels"],
        "conditioning_channels": 3,
    }
    for name, value in wanted.items():
        if _plain(config[name]) != _plain(value):
            raise _stranger(path, f"{name} {config[name]}, the model's is {value}")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value


def _check_tensors(weights: Weights, sources: Sources, network: Network) -> None:
    wanted = {sources(name).name: tensor for name, tensor in network.state_dict().items()}
    for name, tensor in wanted.items():
        if name in weights.shapes and tensor.numel() != _size(weights.shapes[name]):
            at = f"{weights.shapes[name]} at {name}, the model needs {tuple(tensor.shape)}"
            raise _stranger(weights.path, at)
    others = [name for name in weights.shapes if name not in wanted]
    if others:
        raise LoadError(
            "this file holds more than a ControlNet, or one of another build.",
            given=f"{weights.path}: {', '.join(others[:3])}, {len(others)} in all",
            allowed="a ControlNet for the family of the loaded checkpoint, and nothing else",
            fix="load a checkpoint of its family, or take another file",
        )


def _size(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()


def _stranger(path: Path, where: str) -> LoadError:
    return LoadError(
        "this ControlNet was made for another family of models than the loaded one.",
        given=f"{path}: {where}",
        allowed="a ControlNet trained on this checkpoint or on another of its family",
        fix="load a checkpoint of the ControlNet's family, or leave it out",
    )


def _broken(path: Path, error: Exception) -> LoadError:
    return LoadError(
        f"this ControlNet cannot be read: {reason_of(error, path)}",
        given=str(path),
        allowed="a folder as diffusers writes it, or a .safetensors file",
        fix="download or copy it again",
    )
