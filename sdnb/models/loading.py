"""From a checkpoint's folder to `Components`; device and dtype are decided here, once.

Only safetensors are read, nothing is downloaded. Text encoder and VAE stay in float32 (they are
small, and float16 harms both); the U-Net takes float16 on a GPU.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from sdnb.diffusion.noise_schedules import (
    NoiseSchedule,
    linear,
    rescale_to_zero_snr,
    scaled_linear,
    squaredcos_cap_v2,
)
from sdnb.diffusion.prediction import PREDICTIONS
from sdnb.errors import LoadError
from sdnb.models.checkpoint import locate
from sdnb.models.components import Components, LatentSpec

# diffusers' name for it -> ours; its configuration names both ends for the cosine too, unused.
BETA_SCHEDULES: Mapping[str, Callable[[int, float, float], NoiseSchedule]] = MappingProxyType(
    {
        "scaled_linear": scaled_linear,
        "linear": linear,
        "squaredcos_cap_v2": lambda T, _start, _end: squaredcos_cap_v2(T),
    }
)


def load_components(reference: str = "tiny") -> Components:
    """Load a Stable Diffusion 1.x checkpoint: ``"tiny"``, or a folder in diffusers' layout.

    Raises `LoadError`, saying which part is missing or broken.
    """
    folder = locate(reference)
    with _said_clearly(folder), _without_progress_bars():
        return _load(reference, folder)


def _load(reference: str, folder: Path) -> Components:
    kind = _read(folder / "model_index.json").get("_class_name")
    if kind != "StableDiffusionPipeline":
        raise LoadError(
            "this kind of checkpoint cannot be loaded.",
            given=kind,
            allowed="StableDiffusionPipeline (Stable Diffusion 1.x)",
            fix='sdnb.load("tiny")',
        )
    device = _best_device()
    unet = _network(UNet2DConditionModel, folder / "unet", _unet_dtype(device))
    vae = _network(AutoencoderKL, folder / "vae", torch.float32)
    scheduler = _read(folder / "scheduler" / "scheduler_config.json")
    latent = LatentSpec(
        channels=vae.config.latent_channels,
        factor=2 ** (len(vae.config.block_out_channels) - 1),
        scale=vae.config.scaling_factor,
        shift=vae.config.shift_factor or 0.0,
    )
    return Components(
        reference=reference,
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        text_encoder=_network(CLIPTextModel, folder / "text_encoder", torch.float32).to(device),
        unet=unet.to(device),
        vae=vae.to(device),
        noise_schedule=_noise_schedule(scheduler),
        prediction=_prediction(scheduler),
        latent=latent,
        size=unet.config.sample_size * latent.factor,
        words=_words(folder / "words.json"),
    )


# The loaders are untyped.
def _network(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    network, info = kind.from_pretrained(
        folder,
        dtype=dtype,
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


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _unet_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "cpu" else torch.float16


def _noise_schedule(scheduler: Mapping[str, Any]) -> NoiseSchedule:
    name = scheduler.get("beta_schedule", "scaled_linear")
    own = ["trained_betas"] if scheduler.get("trained_betas") else []
    if name not in BETA_SCHEDULES or own:
        raise LoadError(
            "this noise schedule is not known.",
            given=", ".join([name, *own]),
            allowed=", ".join(BETA_SCHEDULES),
            fix="load a checkpoint with one of these",
        )
    schedule = BETA_SCHEDULES[name](
        scheduler["num_train_timesteps"], scheduler["beta_start"], scheduler["beta_end"]
    )
    return rescale_to_zero_snr(schedule) if scheduler.get("rescale_betas_zero_snr") else schedule


def _prediction(scheduler: Mapping[str, Any]) -> str:
    name = str(scheduler.get("prediction_type", "epsilon"))
    if name not in PREDICTIONS:
        raise LoadError(
            "this prediction type is not known.",
            given=name,
            allowed=", ".join(PREDICTIONS),
            fix="look into scheduler/scheduler_config.json",
        )
    return name


def _words(path: Path) -> frozenset[str] | None:
    return frozenset(json.loads(path.read_text())) if path.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise LoadError(
            f"a part of the checkpoint cannot be read: {error}",
            given=str(path),
            allowed="a JSON file, as the checkpoint was published",
            fix="copy the checkpoint again",
        ) from error
    return content


@contextmanager
def _said_clearly(folder: Path) -> Iterator[None]:
    try:
        yield
    except LoadError:
        raise
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        raise LoadError(
            f"a part of the checkpoint is missing or broken: {error}",
            given=str(folder),
            allowed="folders unet, vae, text_encoder, tokenizer and scheduler, with safetensors",
            fix="copy the checkpoint again",
        ) from error


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    logging: Any = transformers_logging  # untyped
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
