"""Checkpoints of each family's true architecture with random weights, small and at full size."""

from dataclasses import dataclass, field, replace

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from sdnb.models.families.vocabulary import END, clip_tokenizer

NOISE = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "set_alpha_to_one": True,
    "clip_sample": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}

READING, BLIND = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")


@dataclass(frozen=True)
class Build:
    """How a family's pipeline is made.

    Of each text encoder: its folder, its class, its width, its layers, its activation and what
    it is padded with.
    """

    pipeline: type
    unet: dict
    texts: tuple
    prediction: str = "epsilon"
    prefixes: tuple = ()
    options: dict = field(default_factory=dict)
    vae: tuple = (32, 32, 32, 64)
    size: int = 64
    projection: int = 96


def blocks(*reading):
    kinds = [READING if reads else BLIND for reads in reading]
    return {
        "down_block_types": [down for down, _ in kinds],
        "up_block_types": [up for _, up in reversed(kinds)],
    }


SD1_UNET = {
    "block_out_channels": (32, 32, 64, 64),
    **blocks(True, True, True, False),
    "cross_attention_dim": 64,
    "attention_head_dim": 8,
}
SD2_UNET = {
    "block_out_channels": (64, 64, 128, 128),
    **blocks(True, True, True, False),
    "cross_attention_dim": 128,
    "attention_head_dim": (1, 1, 2, 2),
    "use_linear_projection": True,
}
SDXL_UNET = {
    "block_out_channels": (64, 128, 192),
    **blocks(False, True, True),
    "cross_attention_dim": 64 + 128,
    "attention_head_dim": (1, 2, 3),
    "transformer_layers_per_block": (1, 2, 3),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 96 + 6 * 256,
}
REFINER_UNET = {
    **SDXL_UNET,
    "block_out_channels": (64, 128, 192, 192),
    **blocks(False, True, True, False),
    "cross_attention_dim": 128,
    "attention_head_dim": (1, 2, 3, 3),
    "transformer_layers_per_block": 2,
    "projection_class_embeddings_input_dim": 96 + 5 * 256,
}

CLIP = ("text_encoder", CLIPTextModel, 64, 3, "quick_gelu", END)
OPEN_CLIP_H = ("text_encoder", CLIPTextModel, 128, 23, "gelu", "!")
OPEN_CLIP_G = ("text_encoder_2", CLIPTextModelWithProjection, 128, 4, "gelu", "!")

BUILDS = {
    "sd1": Build(
        StableDiffusionPipeline,
        SD1_UNET,
        (CLIP,),
        prefixes=("cond_stage_model.transformer.text_model.",),
        options={
            "safety_checker": None,
            "feature_extractor": None,
            "requires_safety_checker": False,
        },
    ),
    "sd1 inpainting": Build(
        StableDiffusionInpaintPipeline,
        SD1_UNET | {"in_channels": 9},
        (CLIP,),
        prefixes=("cond_stage_model.transformer.text_model.",),
        options={
            "safety_checker": None,
            "feature_extractor": None,
            "requires_safety_checker": False,
        },
    ),
    "sd2": Build(
        StableDiffusionPipeline,
        SD2_UNET,
        (OPEN_CLIP_H,),
        prediction="v_prediction",
        prefixes=("cond_stage_model.model.",),
        options={
            "safety_checker": None,
            "feature_extractor": None,
            "requires_safety_checker": False,
        },
    ),
    "sdxl": Build(
        StableDiffusionXLPipeline,
        SDXL_UNET,
        (CLIP, OPEN_CLIP_G),
        prefixes=(
            "conditioner.embedders.0.transformer.text_model.",
            "conditioner.embedders.1.model.",
        ),
        options={"add_watermarker": False},
    ),
    "refiner": Build(
        StableDiffusionXLImg2ImgPipeline,
        REFINER_UNET,
        (OPEN_CLIP_G,),
        prefixes=("conditioner.embedders.0.model.",),
        options={
            "add_watermarker": False,
            "requires_aesthetics_score": True,
            "text_encoder": None,
            "tokenizer": None,
        },
    ),
}


FULL = {
    "sd1": replace(
        BUILDS["sd1"],
        unet=SD1_UNET | {"block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768},
        texts=(("text_encoder", CLIPTextModel, 768, 12, "quick_gelu", END),),
        vae=(128, 256, 512, 512),
        size=512,
        projection=768,
    ),
    "sdxl": replace(
        BUILDS["sdxl"],
        unet=SDXL_UNET
        | {
            "block_out_channels": (320, 640, 1280),
            "cross_attention_dim": 2048,
            "attention_head_dim": (5, 10, 20),
            "transformer_layers_per_block": (1, 2, 10),
            "projection_class_embeddings_input_dim": 1280 + 6 * 256,
        },
        texts=(
            ("text_encoder", CLIPTextModel, 768, 12, "quick_gelu", END),
            ("text_encoder_2", CLIPTextModelWithProjection, 1280, 32, "gelu", "!"),
        ),
        vae=(128, 256, 512, 512),
        size=1024,
        projection=1280,
    ),
}
"""As they are published."""


def make(build):
    """Give diffusers' own pipeline of a build."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        parts = dict(part for text in build.texts for part in _text(build, *text))
        unet = UNet2DConditionModel(sample_size=build.size // 8, layers_per_block=2, **build.unet)
        pipeline = build.pipeline(
            unet=unet.eval(),
            vae=_vae(build),
            scheduler=DDIMScheduler(prediction_type=build.prediction, **NOISE),
            **parts,
            **build.options,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _text(build, folder, kind, width, layers, *spelling):
    activation, pad = spelling
    config = CLIPTextConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        hidden_act=activation,
        projection_dim=build.projection,
        bos_token_id=49406,
        eos_token_id=49407,
        initializer_factor=3.0,  # so that texts make a difference
    )
    yield folder, kind(config).eval()
    tokenizer = clip_tokenizer()
    tokenizer.pad_token = pad
    yield folder.replace("text_encoder", "tokenizer"), tokenizer


def _vae(build):
    return AutoencoderKL(
        block_out_channels=build.vae,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=build.size,
    ).eval()


def save_original(pipeline, build, path, metadata=None):
    """Write a pipeline as one file in the original layout, as those who trained them did."""
    tensors = {
        **_prefixed("model.diffusion_model.", original_unet(pipeline.unet)),
        **_prefixed("first_stage_model.", original_vae(pipeline.vae)),
    }
    for (folder, *_), prefix in zip(build.texts, build.prefixes, strict=True):
        state = {
            key.removeprefix("text_model."): value
            for key, value in getattr(pipeline, folder).state_dict().items()
        }
        is_clip = prefix.endswith("text_model.")
        tensors |= _prefixed(prefix, state if is_clip else open_clip(state, folder))
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, metadata)
    return path


def _prefixed(prefix, tensors):
    return {prefix + key: value for key, value in tensors.items()}


def original_unet(unet):
    """Count the blocks through: down from 1 on, up from 0 on, samplers within the count."""
    found, state = {}, unet.state_dict()
    ends = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for ours, original in ends.items():
        found |= moved(state, ours, original)
    number = 1
    for level, block in enumerate(unet.down_blocks):
        for i in range(len(block.resnets)):
            found |= resnet(state, f"down_blocks.{level}.resnets.{i}", f"input_blocks.{number}.0")
            found |= moved(state, f"down_blocks.{level}.attentions.{i}", f"input_blocks.{number}.1")
            number += 1
        if block.downsamplers:
            found |= moved(
                state, f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{number}.0.op"
            )
            number += 1
    found |= resnet(state, "mid_block.resnets.0", "middle_block.0")
    found |= moved(state, "mid_block.attentions.0", "middle_block.1")
    found |= resnet(state, "mid_block.resnets.1", "middle_block.2")
    number = 0
    for level, block in enumerate(unet.up_blocks):
        has_attention = hasattr(block, "attentions")
        for i in range(len(block.resnets)):
            found |= resnet(state, f"up_blocks.{level}.resnets.{i}", f"output_blocks.{number}.0")
            found |= moved(state, f"up_blocks.{level}.attentions.{i}", f"output_blocks.{number}.1")
            number += 1
        if block.upsamplers:
            place = f"output_blocks.{number - 1}.{2 if has_attention else 1}.conv"
            found |= moved(state, f"up_blocks.{level}.upsamplers.0.conv", place)
    assert len(found) == len(state)
    return found


def moved(state, ours, original):
    return {
        original + key.removeprefix(ours): value
        for key, value in state.items()
        if key.startswith(f"{ours}.")
    }


def resnet(state, ours, original):
    parts = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    found = {}
    for part, theirs in parts.items():
        found |= moved(state, f"{ours}.{part}", f"{original}.{theirs}")
    return found


def original_vae(vae):
    """Name the VAE's tensors as its training did; its attention was a convolution of 1x1."""
    found, levels = {}, len(vae.encoder.down_blocks)
    for key, value in vae.state_dict().items():
        half, *path = key.split(".")
        if path[0] in ("down_blocks", "up_blocks"):
            level = int(path[1]) if path[0] == "down_blocks" else levels - 1 - int(path[1])
            inner = path[4:] if path[2] == "resnets" else ["conv", path[-1]]
            if inner[0] == "conv_shortcut":
                inner[0] = "nin_shortcut"
            kind = {"resnets": f"block.{path[3]}", "downsamplers": "downsample"}.get(
                path[2], "upsample"
            )
            path = [path[0].removesuffix("_blocks"), str(level), kind, *inner]
        elif path[:2] == ["mid_block", "resnets"]:
            path = ["mid", f"block_{int(path[2]) + 1}", *path[3:]]
        elif path[:2] == ["mid_block", "attentions"]:
            names = {
                "group_norm": "norm",
                "to_q": "q",
                "to_k": "k",
                "to_v": "v",
                "to_out": "proj_out",
            }
            is_matrix = path[3] != "group_norm" and path[-1] == "weight"
            value = value[:, :, None, None] if is_matrix else value
            path = ["mid", "attn_1", names[path[3]], path[-1]]
        elif path[0] == "conv_norm_out":
            path = ["norm_out", *path[1:]]
        found[".".join([half, *path])] = value
    return found


def open_clip(state, folder):
    """Name a text encoder's tensors as OpenCLIP does, with the layer that nobody reads."""
    found = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
    }
    layers = 1 + max(int(key.split(".")[2]) for key in state if key.startswith("encoder.layers"))
    for i in range(layers):
        theirs, ours = f"transformer.resblocks.{i}", f"encoder.layers.{i}"
        for last in ("weight", "bias"):
            found[f"{theirs}.attn.in_proj_{last}"] = torch.cat(
                [state[f"{ours}.self_attn.{each}_proj.{last}"] for each in "qkv"]
            )
            found[f"{theirs}.attn.out_proj.{last}"] = state[f"{ours}.self_attn.out_proj.{last}"]
            found[f"{theirs}.ln_1.{last}"] = state[f"{ours}.layer_norm1.{last}"]
            found[f"{theirs}.ln_2.{last}"] = state[f"{ours}.layer_norm2.{last}"]
            found[f"{theirs}.mlp.c_fc.{last}"] = state[f"{ours}.mlp.fc1.{last}"]
            found[f"{theirs}.mlp.c_proj.{last}"] = state[f"{ours}.mlp.fc2.{last}"]
    if folder == "text_encoder_2":
        found["text_projection"] = state["text_projection.weight"].T
        return found
    unread = {key: value for key, value in found.items() if ".resblocks.0." in key}
    return found | {
        key.replace(".resblocks.0.", f".resblocks.{layers}."): torch.zeros_like(value)
        for key, value in unread.items()
    }
