"""ControlNets with random weights, in each layout, and pictures for them to see."""

import numpy as np
import torch
from diffusers import ControlNetModel
from PIL import Image
from safetensors.torch import save_file

from sdnb.picture import Picture
from tests.models.families.checkpoints import moved, resnet


def random_controlnet(unet, seed=0, **changes):
    """Copy a U-Net's encoder; what it adds is no longer nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = ControlNetModel.from_unet(unet)
        if changes:
            made = ControlNetModel.from_config({**made.config, **changes})
        eye = made.controlnet_cond_embedding
        for layer in (*made.controlnet_down_blocks, made.controlnet_mid_block, eye.conv_out):
            torch.nn.init.normal_(layer.weight, std=0.3)
    return made.eval()


def picture(seed=0, side=64):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Picture.of(Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST))


def save_diffusers(controlnet, path):
    save_file({name: each.contiguous() for name, each in controlnet.state_dict().items()}, path)
    return str(path)


def save_original(controlnet, path):
    """Name the tensors as those who trained the first ones did."""
    state, found = controlnet.state_dict(), {}
    ends = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "controlnet_mid_block": "middle_block_out.0",
        "controlnet_cond_embedding.conv_in": "input_hint_block.0",
        "controlnet_cond_embedding.conv_out": "input_hint_block.14",
        "mid_block.attentions.0": "middle_block.1",
    }
    ends |= {
        f"controlnet_cond_embedding.blocks.{i}": f"input_hint_block.{2 + 2 * i}" for i in range(6)
    }
    ends |= {
        f"controlnet_down_blocks.{i}": f"zero_convs.{i}.0"
        for i in range(len(controlnet.controlnet_down_blocks))
    }
    number = 1
    for level, block in enumerate(controlnet.down_blocks):
        ours = f"down_blocks.{level}"
        for i in range(len(block.resnets)):
            found |= resnet(state, f"{ours}.resnets.{i}", f"input_blocks.{number}.0")
            ends[f"{ours}.attentions.{i}"] = f"input_blocks.{number}.1"
            number += 1
        if block.downsamplers:
            ends[f"{ours}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1
    for i in (0, 1):
        found |= resnet(state, f"mid_block.resnets.{i}", f"middle_block.{2 * i}")
    for ours, original in ends.items():
        found |= moved(state, ours, original)
    assert len(found) == len(state)
    save_file({f"control_model.{name}": each.contiguous() for name, each in found.items()}, path)
    return str(path)
