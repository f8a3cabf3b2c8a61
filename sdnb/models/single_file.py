"""A checkpoint that is one file in the original layout: its family is told by its tensors."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from sdnb.errors import LoadError
from sdnb.models.components import Network, TextEncoder
from sdnb.models.contents import Contents
from sdnb.models.families import FAMILIES, family_of_file
from sdnb.models.families.family import Family, Shapes, TextSpec
from sdnb.models.families.sd2 import SD2
from sdnb.models.families.vocabulary import clip_tokenizer
from sdnb.models.original_configs import text_config, unet_config, vae_config
from sdnb.models.original_names import (
    UNET_PREFIX,
    VAE_PREFIX,
    diffusers_vae_sources,
    text_sources,
    unet_sources,
    vae_sources,
)
from sdnb.models.weights import Weights, check_all_used, fill, open_weights, said_clearly

OBSERVED = {
    "joint_blocks": "Stable Diffusion 3",
    "double_blocks": "Flux",
    "double_layers": "AuraFlow",
}
"""What tensors are called of models that are flows of another kind."""

EDM = ("edm_mean", "edm_vpred.sigma_max")
"""Tensors of SDXL's shape whose network was trained on other levels."""

FIRST_CLIP = re.compile(
    r"(cond_stage_model\.transformer\.)((?:embeddings|encoder|final_layer_norm)\..*)"
)
"""How the tensors of a text encoder were called before transformers put them deeper."""

DIFFUSERS_VAE = "decoder.mid_block.resnets.0.conv1.weight"
"""A tensor of a VAE's file that has diffusers' names."""

BARE_VAE = "decoder.conv_in.weight"
"""A tensor of a file that is nothing but a VAE."""

SCHEDULER: Mapping[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
}
"""The noise of all families' training."""


def read_file(path: Path, dtype: torch.dtype, *, allow_pickle: bool = False) -> Contents:
    """Read a checkpoint; its U-Net in ``dtype``, the rest in float32.

    Raises `LoadError` where the file is of no known family, or not whole.
    """
    with opened(path, allow_pickle=allow_pickle) as weights:
        family = recognise(weights)
        unet = _unet(weights, family, dtype)
        prediction = _prediction(weights, family, unet)
        if family.v_size and prediction == "v_prediction":
            unet.register_to_config(sample_size=family.v_size // 8)
        has_vae = f"{VAE_PREFIX}{BARE_VAE}" in weights.shapes
        return Contents(
            family=family,
            texts=_texts(weights, family),
            unet=unet,
            vae=_vae(weights, family, VAE_PREFIX) if has_vae else None,
            scheduler={
                **SCHEDULER,
                "prediction_type": prediction,
                "rescale_betas_zero_snr": "ztsnr" in weights.shapes,
            },
        )


def read_texts(path: Path, family: Family) -> tuple[TextEncoder, ...]:
    """Read the text encoders out of a checkpoint of the same family, in float32."""
    with opened(path) as weights:
        _check_is_of(family, weights)
        return _texts(weights, family)


def read_vae(path: Path, family: Family, *, allow_pickle: bool = False) -> Network:
    """Read the VAE out of a file, where it may be alone, in float32."""
    with opened(path, allow_pickle=allow_pickle) as weights:
        is_alone = BARE_VAE in weights.shapes
        if not is_alone:
            _check_is_of(family, weights)
        return _vae(weights, family, "" if is_alone else VAE_PREFIX)


@contextmanager
def opened(path: Path, *, allow_pickle: bool = False) -> Iterator[Weights]:
    """Open a file; the names of the first fine-tunes' text encoder become those of all others."""
    with said_clearly(path), open_weights(path, allow_pickle=allow_pickle) as weights:
        names = {_today(name): name for name in weights.shapes}
        shapes = {today: weights.shapes[name] for today, name in names.items()}
        yield replace(weights, shapes=shapes, read=lambda name: weights.read(names[name]))


def _today(name: str) -> str:
    old = FIRST_CLIP.fullmatch(name)
    return name if old is None else f"{old[1]}text_model.{old[2]}"


def _check_is_of(family: Family, weights: Weights) -> None:
    told = recognise(weights)
    if told is not family:
        raise LoadError(
            "this checkpoint is of another family.",
            given=f"{told.name}: {weights.path}",
            allowed=family.name,
            fix="take the part of another checkpoint",
        )


def tell_size(weights: Weights, family: Family) -> int | None:
    """Return the pixels of a side in training, as far as a file tells without being asked."""
    said = re.match(r"\d+", weights.metadata.get("modelspec.resolution", ""))
    if said is not None:
        return int(said[0])
    return None if family.v_size else family.size


def recognise(weights: Weights) -> Family:
    """Return the family of a file; raises `LoadError` for what is no checkpoint."""
    family = family_of_file(weights.shapes)
    if family is not None and not any(name in weights.shapes for name in EDM):
        return family
    others = [name for part, name in OBSERVED.items() if _has(weights.shapes, part)]
    if family is not None:
        others = [f"the {family.name} family trained in the manner of EDM"]
    if others:
        raise LoadError(
            f"this is a checkpoint of {others[0]}, which sdnb watches but does not run.",
            given=str(weights.path),
            allowed=", ".join(family.name for family in FAMILIES),
            fix="load it with diffusers and look inside with sdnb.observe(pipeline)",
        )
    raise LoadError(
        f"this file is no checkpoint: {_what_it_may_be(weights.shapes)}",
        given=f"{weights.path}, {len(weights.shapes)} tensors",
        allowed=", ".join(family.name for family in FAMILIES),
        fix="take the file that the model's page calls the checkpoint",
    )


def _has(shapes: Shapes, part: str) -> bool:
    return any(part in name for name in shapes)


def _what_it_may_be(shapes: Shapes) -> str:
    if _has(shapes, "lora"):
        return "it looks like a LoRA, which goes on top of one."
    if BARE_VAE in shapes:
        return "it looks like a VAE, for sdnb.load(checkpoint, vae=this_file)."
    if _has(shapes, "control_model.") or _has(shapes, "controlnet_cond_embedding"):
        return "it looks like a ControlNet, which goes beside one."
    return "it has no text encoder that is known."


def _unet(weights: Weights, family: Family, dtype: torch.dtype) -> Network:
    config: Any = unet_config(weights.shapes, family)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    sources = unet_sources(unet.state_dict(), config["layers_per_block"])
    check_all_used(weights, UNET_PREFIX, unet, sources)
    return fill(unet, weights, sources, dtype)


def _vae(weights: Weights, family: Family, prefix: str) -> Network:
    config: Any = vae_config(weights.shapes, family, prefix)
    with torch.device("meta"):
        vae = AutoencoderKL.from_config(config)
    is_theirs = not prefix and DIFFUSERS_VAE in weights.shapes
    levels = len(config["block_out_channels"])
    sources = diffusers_vae_sources(weights.shapes) if is_theirs else vae_sources(levels, prefix)
    return fill(vae, weights, sources, torch.float32)


def _texts(weights: Weights, family: Family) -> tuple[TextEncoder, ...]:
    return tuple(_text(weights, spec) for spec in family.texts)


def _text(weights: Weights, spec: TextSpec) -> TextEncoder:
    kind: Any = CLIPTextModelWithProjection if spec.is_projected else CLIPTextModel
    with torch.device("meta"):
        network = kind(CLIPTextConfig(**text_config(weights.shapes, spec)))
    fill(network, weights, text_sources(spec.layout, spec.prefix), torch.float32)
    return TextEncoder(tokenizer=clip_tokenizer(), pad=spec.pad, network=network, spec=spec)


def _prediction(weights: Weights, family: Family, unet: Network) -> str:
    """Return what the network predicts: as the file says, or where it may differ, by asking it."""
    said = weights.metadata.get("modelspec.prediction_type", "")
    if said or "v_pred" in weights.shapes:
        return "v_prediction" if said.startswith("v") or "v_pred" in weights.shapes else "epsilon"
    return "epsilon" if family is not SD2 or answers_with_noise(unet) else "v_prediction"


def answers_with_noise(unet: Network) -> bool:
    """Whether a network, shown nothing but noise, answers with that noise.

    One that predicts v answers with the picture that it expects, which is no likeness of it.
    """
    channels, config = unet.config.out_channels, unet.config
    noise = torch.randn(1, channels, 32, 32, generator=torch.Generator().manual_seed(0))
    masked = torch.zeros(1, config.in_channels - channels, 32, 32)
    told = torch.zeros(1, 77, config.cross_attention_dim, dtype=unet.dtype)
    with torch.no_grad():
        shown = torch.cat([noise, masked], dim=1).to(unet.dtype)
        answer = unet(shown, SCHEDULER["num_train_timesteps"] - 1, told).sample.float()
    likeness = torch.corrcoef(torch.stack([answer.flatten(), noise.flatten()]))[0, 1]
    return bool(likeness > 0.5)
