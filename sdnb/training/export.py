"""Writing the trained networks in the layout that diffusers reads, and reading them back.

Here are files and configs; what the networks are is in ``autoencoder`` and ``diffusion``,
the model card in ``card``.
"""

import json
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from sdnb.training.autoencoder import Autoencoder
from sdnb.training.captions import words
from sdnb.training.diffusion import BETAS, TIMESTEPS, Diffusion, Network
from sdnb.training.tokenizer import Tokenizer, save_tokenizer


def export_model(
    folder: Path, *, tokenizer: Tokenizer, vae: Autoencoder, diffusion: Diffusion
) -> None:
    """Write a folder that plain ``StableDiffusionPipeline.from_pretrained`` loads.

    Weights are stored as float16 safetensors; configs say that they are to be
    computed with in float32, as a CPU needs.
    """
    diffusers: Any = import_module("diffusers")
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETAS[0],
        beta_end=BETAS[1],
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type="v_prediction",
    )
    pipeline = diffusers.StableDiffusionPipeline(
        vae=halved(vae),
        text_encoder=halved(diffusion.text_encoder),
        tokenizer=tokenizer,
        unet=halved(diffusion.unet),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for weights in folder.rglob("*.safetensors"):
        weights.chmod(0o644)
    save_tokenizer(tokenizer, folder / "tokenizer")
    change_json(folder / "text_encoder" / "config.json", dtype="float32")
    for config in ("unet/config.json", "vae/config.json", "tokenizer/tokenizer_config.json"):
        forget_origin(folder / config)
    (folder / "words.json").write_text(json.dumps(words(), indent=0) + "\n")


def load_tokenizer(folder: Path) -> Tokenizer:
    """Tokenizer of a model folder."""
    transformers: Any = import_module("transformers")
    return transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)


def load_autoencoder(folder: Path) -> Autoencoder:
    """VAE of a model folder, in float32."""
    diffusers: Any = import_module("diffusers")
    model = diffusers.AutoencoderKL.from_pretrained(folder / "vae", local_files_only=True)
    return model.float().eval().to(memory_format=torch.channels_last)


def load_diffusion(folder: Path) -> Diffusion:
    """Text encoder and U-Net of a model folder, in float32."""
    diffusers: Any = import_module("diffusers")
    transformers: Any = import_module("transformers")
    text_encoder = transformers.CLIPTextModel.from_pretrained(
        folder / "text_encoder", local_files_only=True
    )
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True)
    unet = unet.float().to(memory_format=torch.channels_last)
    return Diffusion(text_encoder.float(), unet)


def halved(network: Network) -> Network:
    """A float16 copy on the CPU, in the standard memory format."""
    copy = deepcopy(network).to("cpu", torch.float16)
    return copy.to(memory_format=torch.contiguous_format)


def change_json(path: Path, **values: object) -> None:
    """Set values of a JSON file's object."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def forget_origin(path: Path) -> None:
    """Remove from a JSON file where on this machine its part was read from."""
    origin = ("_name_or_path", "is_local", "local_files_only")
    content = json.loads(path.read_text())
    kept = {name: value for name, value in content.items() if name not in origin}
    path.write_text(json.dumps(kept, indent=2) + "\n")
