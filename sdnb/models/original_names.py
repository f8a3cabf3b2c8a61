"""The names of tensors in the original layout of single files, from those of diffusers.

In that layout blocks are counted through, halves of the U-Net apart; text encoders keep the
names of the projects that they were trained in.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."

_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_UNET_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_EYE = ("conv_in", *(f"blocks.{number}" for number in range(6)), "conv_out")
"""What a ControlNet sees its picture with, in order."""
_VAE = {
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "resnets": "block",
}
_OPEN_CLIP = {
    "embeddings.token_embedding": "token_embedding",
    "embeddings.position_embedding.weight": "positional_embedding",
    "encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
    "final_layer_norm": "ln_final",
    "text_projection.weight": "text_projection",
}
_OPEN_CLIP_VISION = {
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding": "conv1",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm": "ln_pre",
    "post_layernorm": "ln_post",
    "visual_projection.weight": "proj",
}
_STACKED = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True)
class Source:
    """Where a tensor is: its name, which third of it where three are stacked, how it lies."""

    name: str
    third: int | None = None
    is_transposed: bool = False


Sources = Callable[[str], Source]
"""diffusers' or transformers' name of a tensor -> where it is in a single file."""


def unet_sources(names: Collection[str], layers: int) -> Sources:
    """Find the tensors of a U-Net with these ``names`` and ``layers`` a block going down."""

    def find(name: str) -> Source:
        return Source(UNET_PREFIX + _unet_name(name, names, layers))

    return find


_OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""What diffusers called the attention of VAEs in its first years."""


def diffusers_vae_sources(names: Collection[str]) -> Sources:
    """Find the tensors of a VAE in a file that has diffusers' ``names``, today's or the first."""

    def find(name: str) -> Source:
        if name in names:
            return Source(name)
        for today, first in _OLD_ATTENTION.items():
            name = name.replace(f".{today}.", f".{first}.")
        return Source(name)

    return find


def vae_sources(levels: int, prefix: str = VAE_PREFIX) -> Sources:
    """Find the tensors of a VAE of so many ``levels``."""

    def find(name: str) -> Source:
        for theirs, original in _VAE.items():
            name = re.sub(rf"(?<![^.]){re.escape(theirs)}(?![^.])", original, name)
        name = name.replace("down_blocks.", "down.")
        name = re.sub(r"up_blocks\.(\d+)", lambda at: f"up.{levels - 1 - int(at[1])}", name)
        return Source(prefix + name)

    return find


def text_sources(layout: str, prefix: str) -> Sources:
    """Find the tensors of a text encoder in the ``layout`` of CLIP or OpenCLIP."""
    return (_clip if layout == "clip" else _open_clip)(prefix)


def control_sources(layers: int, prefix: str) -> Sources:
    """Find the tensors of a ControlNet with ``layers`` a block."""

    def find(name: str) -> Source:
        part, _, inner = name.partition(".")
        *place, last = inner.split(".")
        if part == "controlnet_cond_embedding":
            return Source(f"{prefix}input_hint_block.{2 * _EYE.index('.'.join(place))}.{last}")
        if part == "controlnet_down_blocks":
            return Source(f"{prefix}zero_convs.{place[0]}.0.{last}")
        if part == "controlnet_mid_block":
            return Source(f"{prefix}middle_block_out.0.{last}")
        return Source(prefix + _unet_name(name, (), layers))

    return find


def _unet_name(name: str, names: Collection[str], layers: int) -> str:
    module, _, last = name.rpartition(".")
    if module in _UNET_ENDS:
        return f"{_UNET_ENDS[module]}.{last}"
    half, *path = name.split(".")
    if half == "mid_block":
        kind, number, *inner = path
        place = "middle_block.1" if kind == "attentions" else f"middle_block.{2 * int(number)}"
        return _inside(place, kind, inner)
    block, kind, number, *inner = path
    if kind == "downsamplers":
        return f"input_blocks.{(int(block) + 1) * (layers + 1)}.0.op.{last}"
    if kind == "upsamplers":
        has_attention = any(each.startswith(f"up_blocks.{block}.attentions") for each in names)
        return f"output_blocks.{int(block) * (layers + 1) + layers}.{1 + has_attention}.conv.{last}"
    count = int(block) * (layers + 1) + int(number)
    place = f"input_blocks.{1 + count}" if half == "down_blocks" else f"output_blocks.{count}"
    return _inside(f"{place}.{int(kind == 'attentions')}", kind, inner)


def _inside(place: str, kind: str, inner: list[str]) -> str:
    if kind == "resnets":
        inner = [_UNET_RESNET[inner[0]], *inner[1:]]
    return ".".join([place, *inner])


def _clip(prefix: str) -> Sources:
    return lambda name: Source(prefix + name.removeprefix("text_model."))


def vision_sources(names: Collection[str]) -> Sources:
    """Find the tensors of an image encoder in a file with these ``names``: CLIP's or OpenCLIP's."""
    prefix = "visual."
    if f"{prefix}class_embedding" not in names:
        return Source
    return _open_clip(prefix, _OPEN_CLIP_VISION | _OPEN_CLIP)


def _open_clip(prefix: str, names: Mapping[str, str] = _OPEN_CLIP) -> Sources:
    def find(name: str) -> Source:
        name = name.removeprefix("text_model.").removeprefix("vision_model.")
        is_transposed = name in ("text_projection.weight", "visual_projection.weight")
        for theirs, original in names.items():
            name = name.replace(theirs, original)
        for third, theirs in enumerate(_STACKED):
            name, is_stacked = re.subn(rf"self_attn\.{theirs}\.", "attn.in_proj_", name)
            if is_stacked:
                return Source(prefix + name, third=third)
        return Source(prefix + name, is_transposed=is_transposed)

    return find
