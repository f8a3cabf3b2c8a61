"""A checkpoint that is a folder in diffusers' layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from sdnb.errors import LoadError, reason_of
from sdnb.models.components import Network, TextEncoder
from sdnb.models.contents import Contents
from sdnb.models.counts import check_counts, check_size, shapes_in
from sdnb.models.families import PIPELINES, family_of_folder
from sdnb.models.families.family import Family, TextSpec
from sdnb.models.families.vocabulary import CLIP_TOKENS, clip_tokenizer
from sdnb.models.weights import said_clearly


def read_folder(folder: Path, dtype: torch.dtype) -> Contents:
    """Read a checkpoint; its U-Net in ``dtype``, the rest in float32.

    Only safetensors are read. Raises `LoadError`, saying which part is missing or broken.
    """
    with said_clearly(folder):
        family, _ = read_family(folder)
        return Contents(
            family=family,
            texts=read_texts_folder(folder, family),
            unet=_network(UNet2DConditionModel, folder / "unet", dtype),
            vae=read_vae_folder(folder / "vae"),
            scheduler=_read(folder / "scheduler" / "scheduler_config.json"),
            words=_words(folder / "words.json"),
        )


def read_family(folder: Path) -> tuple[Family, int]:
    """Return a checkpoint's family, and the pixels of a side in its training.

    Raises `LoadError` for one of no known family.
    """
    with said_clearly(folder):
        return _family(folder)


def _family(folder: Path) -> tuple[Family, int]:
    index, unet = _read(folder / "model_index.json"), {}
    if str(index.get("_class_name")) in PIPELINES:
        unet = _read(folder / "unet" / "config.json")
    family = family_of_folder(index, unet)
    if family is None:
        raise LoadError(
            "this kind of checkpoint cannot be loaded.",
            given=index.get("_class_name"),
            allowed=", ".join(PIPELINES),
            fix="load it with diffusers and look inside with sdnb.observe(pipeline)",
        )
    levels = len(_read(folder / "vae" / "config.json").get("block_out_channels", ()))
    return family, int(unet.get("sample_size", 0)) * 2 ** max(levels - 1, 0)


def read_texts_folder(folder: Path, family: Family) -> tuple[TextEncoder, ...]:
    """Read a checkpoint's text encoders in float32; raises `LoadError`."""
    with said_clearly(folder):
        return tuple(_text(folder, spec) for spec in family.texts)


def read_vae_folder(folder: Path) -> Network:
    """Read a VAE in float32; raises `LoadError`."""
    with said_clearly(folder):
        return _network(AutoencoderKL, folder, torch.float32)


def _text(folder: Path, spec: TextSpec) -> TextEncoder:
    kind = CLIPTextModelWithProjection if spec.is_projected else CLIPTextModel
    tokenizer = CLIPTokenizer.from_pretrained(folder / spec.tokenizer_folder, local_files_only=True)
    pad = tokenizer.pad_token_id
    if len(tokenizer) == CLIP_TOKENS:
        tokenizer = clip_tokenizer()  # one that pads with "!" would take every "!" for padding
    return TextEncoder(
        tokenizer=tokenizer,
        pad=pad,
        network=_network(kind, folder / spec.folder, torch.float32),
        spec=spec,
    )


# The loaders are untyped.
def _network(kind: Any, folder: Path, dtype: torch.dtype) -> Network:
    _check_configuration(kind, folder)
    is_half = not any(folder.glob("*model.safetensors*")) and any(folder.glob("*.fp16.safetensors"))
    network, info = kind.from_pretrained(
        folder,
        dtype=dtype,
        variant="fp16" if is_half else None,
        local_files_only=True,
        use_safetensors=True,
        low_cpu_mem_usage=False,  # else diffusers warns where accelerate is not installed
        output_loading_info=True,
    )
    missing = sorted(info["missing_keys"])
    if missing:
        raise LoadError(
            f"weights are missing from {folder.name}: {', '.join(missing[:3])}.",
            given=f"{len(missing)} missing in {folder}",
            allowed="every weight of the network",
            fix="copy the checkpoint again",
        )
    return network.eval().requires_grad_(False)


def _check_configuration(kind: Any, folder: Path) -> None:
    """Raise `LoadError` for one that its weights do not fill, before anything is built in full."""
    config, shapes = _read(folder / "config.json"), shapes_in(folder)
    if not shapes:
        return  # who reads them says what is missing
    check_counts(config, shapes, folder)
    with torch.device("meta"):
        is_diffusers = hasattr(kind, "from_config")
        told = config if is_diffusers else kind.config_class.from_dict(config)
        network = kind.from_config(told) if is_diffusers else kind(told)
    check_size(network, shapes, folder)


def _words(path: Path) -> frozenset[str] | None:
    return frozenset(json.loads(path.read_text())) if path.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content: Mapping[str, Any] = json.loads(path.read_text())
        return dict(content)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise LoadError(
            f"a part of the checkpoint cannot be read: {reason_of(error, path)}",
            given=str(path),
            allowed="a JSON file, as the checkpoint was published",
            fix="copy the checkpoint again",
        ) from error
