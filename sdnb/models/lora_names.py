"""Names that LoRA files give to the layers of networks, made from the networks themselves.

Three ways are in use: a layer's path in the network (diffusers, peft), that path with underscores
(kohya's tools), and so with the blocks of the original code (kohya's for Stable Diffusion XL).
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from torch import nn

Network = Any  # diffusers' and transformers' classes are only partly typed

Layer = tuple[str, str]
"""A network's name and the path of one of its modules."""

Networks = Mapping[str, Network]
"""Networks by the names that files give them: ``unet``, ``text_encoder``, ``text_encoder_2``."""

_DOTTED = {
    "unet": ("unet.", "", "base_model.model."),
    "text_encoder": ("text_encoder.",),
    "text_encoder_2": ("text_encoder_2.",),
}
_UNDERSCORED = {
    "unet": ("lora_unet_",),
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
}
_PROCESSORS = {
    "to_q": "processor.to_q_lora",
    "to_k": "processor.to_k_lora",
    "to_v": "processor.to_v_lora",
    "to_out.0": "processor.to_out_lora",
}
"""End of a path -> how diffusers wrote it while attention processors held LoRAs."""

_OUTSIDE = {
    "conv_in": "input_blocks_0_0",
    "conv_out": "out_2",
    "time_embedding.linear_1": "time_embed_0",
    "time_embedding.linear_2": "time_embed_2",
    "add_embedding.linear_1": "label_emb_0_0",
    "add_embedding.linear_2": "label_emb_0_2",
    "mid_block.resnets.0": "middle_block_0",
    "mid_block.attentions.0": "middle_block_1",
    "mid_block.resnets.1": "middle_block_2",
}
_INSIDE = {
    "conv1": "in_layers_2",
    "time_emb_proj": "emb_layers_1",
    "conv2": "out_layers_3",
    "conv_shortcut": "skip_connection",
}
"""Layers of a residual block -> what the original code calls them."""


def name_layers(networks: Networks) -> Mapping[str, Layer]:
    """Return every name that a file may give to a layer, and the layer."""
    return MappingProxyType(
        {
            name: (network, path)
            for network, modules in networks.items()
            for path, module in modules.named_modules()
            if isinstance(module, nn.Linear | nn.Conv2d)
            for name in _names(network, modules, path)
        }
    )


def _names(network: str, modules: Network, path: str) -> Iterator[str]:
    if network != "unet" and path.startswith("encoder."):
        path = f"text_model.{path}"  # transformers left this part of the path out in 5.6
    for prefix in _DOTTED[network]:
        yield prefix + path
        yield prefix + path.removeprefix("text_model.")
        yield f"{prefix}{path}.lora"
        yield f"{prefix}{path}.lora_linear_layer"
        for end, processor in _PROCESSORS.items():
            if path.endswith(f".{end}"):
                yield prefix + path.removesuffix(end) + processor
    flat = [path.replace(".", "_")]
    if network == "unet":
        flat += _original(modules, path)
    for prefix in _UNDERSCORED[network]:
        yield from (prefix + each for each in flat)


def _original(unet: Network, path: str) -> Iterator[str]:
    for block, name in {**_OUTSIDE, **_blocks(unet)}.items():
        if path == block:
            yield name
        elif path.startswith(f"{block}."):
            inside = path.removeprefix(f"{block}.")
            yield f"{name}_{_INSIDE.get(inside, inside.replace('.', '_'))}"


def _blocks(unet: Network) -> dict[str, str]:
    """Count the blocks as the original code does: one row of them down, one up."""
    names = {}
    number = 1  # 0 is conv_in
    for i, block in enumerate(unet.down_blocks):
        for j in range(len(block.resnets)):
            names[f"down_blocks.{i}.resnets.{j}"] = f"input_blocks_{number}_0"
            names[f"down_blocks.{i}.attentions.{j}"] = f"input_blocks_{number}_1"
            number += 1
        if block.downsamplers:
            names[f"down_blocks.{i}.downsamplers.0.conv"] = f"input_blocks_{number}_0_op"
            number += 1
    number = 0
    for i, block in enumerate(unet.up_blocks):
        for j in range(len(block.resnets)):
            names[f"up_blocks.{i}.resnets.{j}"] = f"output_blocks_{number}_0"
            names[f"up_blocks.{i}.attentions.{j}"] = f"output_blocks_{number}_1"
            number += 1
        if block.upsamplers:
            place = 2 if hasattr(block, "attentions") else 1
            names[f"up_blocks.{i}.upsamplers.0"] = f"output_blocks_{number - 1}_{place}"
    return names
