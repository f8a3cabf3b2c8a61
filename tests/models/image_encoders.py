"""Image encoders with random weights: small ones, and thin ones of the published widths."""

import torch
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

SIDE, HIDDEN, PROJECTED = 32, 48, 40


def image_encoder(**changes):
    with torch.random.fork_rng():
        torch.manual_seed(7)
        config = {
            "hidden_size": HIDDEN,
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "patch_size": 8,
            "projection_dim": PROJECTED,
            "initializer_factor": 3.0,
        }
        return CLIPVisionModelWithProjection(CLIPVisionConfig(**config | changes)).eval()


PUBLISHED = {
    "ViT-L": {"hidden_size": 1024, "hidden_act": "quick_gelu"},
    "ViT-H": {"hidden_size": 1280, "hidden_act": "gelu"},
    "ViT-bigG": {"hidden_size": 1664, "hidden_act": "gelu"},
}


def published(name):
    """Make an image encoder of true width, with one layer that is thin inside."""
    return image_encoder(num_hidden_layers=1, num_attention_heads=16, **PUBLISHED[name])


def open_clip_names(encoder):
    """Name an image encoder's tensors as OpenCLIP does, with some of its text encoder beside."""
    state = {key.removeprefix("vision_model."): each for key, each in encoder.state_dict().items()}
    renamed = {
        "text_projection": torch.ones(2, 2),
        "visual.proj": state["visual_projection.weight"].T,
    }
    renamed |= {
        f"visual.{name}": state[f"embeddings.{theirs}"]
        for name, theirs in (
            ("class_embedding", "class_embedding"),
            ("conv1.weight", "patch_embedding.weight"),
            ("positional_embedding", "position_embedding.weight"),
        )
    }
    for last in ("weight", "bias"):
        renamed[f"visual.ln_pre.{last}"] = state[f"pre_layrnorm.{last}"]
        renamed[f"visual.ln_post.{last}"] = state[f"post_layernorm.{last}"]
        for number in range(encoder.config.num_hidden_layers):
            ours, theirs = f"visual.transformer.resblocks.{number}", f"encoder.layers.{number}"
            heads = [state[f"{theirs}.self_attn.{each}_proj.{last}"] for each in "qkv"]
            renamed[f"{ours}.attn.in_proj_{last}"] = torch.cat(heads)
            renamed[f"{ours}.attn.out_proj.{last}"] = state[f"{theirs}.self_attn.out_proj.{last}"]
            renamed[f"{ours}.ln_1.{last}"] = state[f"{theirs}.layer_norm1.{last}"]
            renamed[f"{ours}.ln_2.{last}"] = state[f"{theirs}.layer_norm2.{last}"]
            renamed[f"{ours}.mlp.c_fc.{last}"] = state[f"{theirs}.mlp.fc1.{last}"]
            renamed[f"{ours}.mlp.c_proj.{last}"] = state[f"{theirs}.mlp.fc2.{last}"]
    return {name: each.contiguous() for name, each in renamed.items()}
