"""Configurations of networks, read from the shapes of their tensors in the original layout.

What shapes do not tell (how many heads share a layer's channels) is the family's affair.
"""

import re
from itertools import count, takewhile
from typing import Any

from sdnb.models.families.family import Family, Shapes, TextSpec
from sdnb.models.original_names import UNET_PREFIX, VAE_PREFIX

HEAD_WIDTH = 64
"""Channels of a head in the text encoders of all families."""

Config = dict[str, Any]  # what diffusers and transformers are configured with


def unet_config(shapes: Shapes, family: Family) -> Config:
    """Return the configuration of the file's ``UNet2DConditionModel``."""
    inside = _below(shapes, UNET_PREFIX)
    levels = _levels(inside)
    channels = [inside[f"{level[0]}.0.out_layers.3.weight"][0] for level in levels]
    depths = [_depth(inside, f"{level[0]}.1.") for level in levels]
    reading = [depth > 0 for depth in depths]
    block = _attention(inside)
    config = {
        "sample_size": family.size // 8,
        "in_channels": inside["input_blocks.0.0.weight"][1],
        "out_channels": inside["out.2.weight"][0],
        "block_out_channels": channels,
        "layers_per_block": len(levels[0]),
        "down_block_types": [_kind("Down", reads) for reads in reading],
        "up_block_types": [_kind("Up", reads) for reads in reversed(reading)],
        "cross_attention_dim": inside[f"{block}transformer_blocks.0.attn2.to_k.weight"][1],
        # of a level that reads no text, only the middle behind the last one uses it
        "transformer_layers_per_block": [
            depth or _depth(inside, "middle_block.1.") for depth in depths
        ],
        "attention_head_dim": [family.heads(width) for width in channels],
        "use_linear_projection": len(inside[f"{block}proj_in.weight"]) == 2,
    }
    if "time_embed.cond_proj.weight" in inside:
        config["time_cond_proj_dim"] = inside["time_embed.cond_proj.weight"][1]
    if "label_emb.0.0.weight" in inside:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": inside["label_emb.0.0.weight"][1],
        }
    return config


def vae_config(shapes: Shapes, family: Family, prefix: str = VAE_PREFIX) -> Config:
    """Return the configuration of the file's ``AutoencoderKL``, of either layout's names."""
    inside = _below(shapes, prefix)
    level, layer = "encoder.down.{}.block.0.conv1.weight", "encoder.down.0.block.{}.conv1.weight"
    if not _count(inside, level):
        level = "encoder.down_blocks.{}.resnets.0.conv1.weight"
        layer = "encoder.down_blocks.0.resnets.{}.conv1.weight"
    levels = _count(inside, level)
    return {
        "block_out_channels": [inside[level.format(i)][0] for i in range(levels)],
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": _count(inside, layer),
        "latent_channels": inside["decoder.conv_in.weight"][1],
        "scaling_factor": family.scale,
        "sample_size": family.size,
    }


def text_config(shapes: Shapes, spec: TextSpec) -> Config:
    """Return the configuration of one of the file's CLIP text encoders."""
    inside = _below(shapes, spec.prefix)
    is_clip = spec.layout == "clip"
    embedding = "embeddings.token_embedding" if is_clip else "token_embedding"
    layer = "encoder.layers.{}.mlp.fc1" if is_clip else "transformer.resblocks.{}.mlp.c_fc"
    vocabulary, width = inside[f"{embedding}.weight"]
    layers = _count(inside, f"{layer}.weight")
    projection = inside.get("text_projection", (width, width))
    return {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": inside[f"{layer.format(0)}.weight"][0],
        "num_hidden_layers": min(layers, spec.layers or layers),
        "num_attention_heads": width // HEAD_WIDTH,
        "hidden_act": spec.activation,
        "projection_dim": projection[1],
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }


def _below(shapes: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    return {
        name.removeprefix(prefix): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def _levels(inside: Shapes) -> list[list[str]]:
    """Return the blocks that go down, level by level, without those that halve."""
    levels: list[list[str]] = [[]]
    for number in takewhile(lambda i: _begins(inside, f"input_blocks.{i}."), count(1)):
        if f"input_blocks.{number}.0.op.weight" in inside:
            levels.append([])
        else:
            levels[-1].append(f"input_blocks.{number}")
    return levels


def _begins(inside: Shapes, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in inside)


def _depth(inside: Shapes, place: str) -> int:
    """Count the transformer blocks at a place."""
    return _count(inside, f"{place}transformer_blocks.{{}}.attn2.to_k.weight")


def _count(inside: Shapes, pattern: str) -> int:
    return sum(1 for _ in takewhile(lambda i: pattern.format(i) in inside, count()))


def _attention(inside: Shapes) -> str:
    """Return where the first attention to the text is."""
    names = [name for name in inside if re.search(r"transformer_blocks\.0\.attn2\.to_k", name)]
    return names[0].partition("transformer_blocks")[0]


def _kind(way: str, reads_text: bool) -> str:
    return f"CrossAttn{way}Block2D" if reads_text else f"{way}Block2D"
