"""From a reference to `Components`; device and dtype are decided here, once.

Text encoders and VAE stay in float32 (they are small, and float16 harms both); the U-Net takes
float16 on a GPU.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from sdnb.diffusion.noise_schedules import (
    NoiseSchedule,
    linear,
    rescale_to_zero_snr,
    scaled_linear,
    squaredcos_cap_v2,
)
from sdnb.diffusion.prediction import PREDICTIONS
from sdnb.errors import InvalidField, LoadError, UnknownName
from sdnb.models.checkpoint import locate
from sdnb.models.components import Components, LatentSpec, Network, TextEncoder
from sdnb.models.families.family import Family
from sdnb.models.folder import read_folder, read_vae_folder
from sdnb.models.hashing import hash_checkpoint
from sdnb.models.parts import Parts
from sdnb.models.single_file import read_file, read_vae

DTYPES = {name: getattr(torch, name) for name in ("float16", "bfloat16", "float32")}

# diffusers' name for it -> ours; its configuration names both ends for the cosine too, unused.
BETA_SCHEDULES: Mapping[str, Callable[[int, float, float], NoiseSchedule]] = MappingProxyType(
    {
        "scaled_linear": scaled_linear,
        "linear": linear,
        "squaredcos_cap_v2": lambda T, _start, _end: squaredcos_cap_v2(T),
    }
)


def load_components(
    reference: str = "tiny",
    *,
    vae: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    allow_pickle: bool = False,
) -> Components:
    """Load a checkpoint from wherever `sdnb.models.checkpoint.locate` finds it.

    Parameters
    ----------
    vae : str or None
        Where another VAE comes from: a file, a folder, or a checkpoint that has one.
    device, dtype : str or None
        ``"cuda"``, ``"mps"`` or ``"cpu"``, and ``"float16"``, ``"bfloat16"`` or ``"float32"``
        for the U-Net; None: the best that there is.
    allow_pickle : bool
        Whether tensors may be read out of a pickle.

    Raises `LoadError`, saying which part is missing or broken.
    """
    where = _device(device)
    kind = _dtype(dtype, where)
    path = locate(reference)
    with _without_progress_bars():
        if path.is_dir():
            parts = read_folder(path, kind)
        else:
            parts = read_file(path, kind, allow_pickle=allow_pickle)
        if vae is not None:
            parts = replace(parts, vae=load_vae(vae, parts.family, allow_pickle=allow_pickle))
    return _components(reference, path, parts, where)


def load_vae(reference: str, family: Family, *, allow_pickle: bool = False) -> Network:
    """Load the VAE of a checkpoint, or one that is a file or folder of its own, in float32."""
    folder = Path(reference).expanduser()
    if (folder / "config.json").is_file():
        return read_vae_folder(folder)
    path = locate(reference)
    if path.is_dir():
        return read_vae_folder(path / "vae")
    return read_vae(path, family, allow_pickle=allow_pickle)


def noise_of(scheduler: Mapping[str, Any]) -> tuple[NoiseSchedule, str]:
    """Return the noise of a network's training and what it predicts.

    Parameters
    ----------
    scheduler : mapping
        The configuration of one of diffusers' schedulers.

    Raises `LoadError` for what is not known.
    """
    return _noise_schedule(scheduler), _prediction(scheduler)


def latent_spec(vae: Network) -> LatentSpec:
    """Describe the latent space of a VAE."""
    return LatentSpec(
        channels=vae.config.latent_channels,
        factor=2 ** (len(vae.config.block_out_channels) - 1),
        scale=vae.config.scaling_factor,
        shift=vae.config.shift_factor or 0.0,
    )


def _components(reference: str, path: Path, parts: Parts, device: torch.device) -> Components:
    if parts.vae is None:
        raise LoadError(
            "this checkpoint brings no VAE.",
            given=str(path),
            allowed="a checkpoint with one, or one beside it",
            fix=f'sdnb.load({reference!r}, vae="the file of one for {parts.family.name}")',
        )
    noise_schedule, prediction = noise_of(parts.scheduler)
    latent = latent_spec(parts.vae)
    return Components(
        reference=reference,
        sha256=hash_checkpoint(path),
        family=parts.family,
        texts=tuple(_moved(encoder, device) for encoder in parts.texts),
        unet=parts.unet.to(device),
        vae=parts.vae.to(device),
        noise_schedule=noise_schedule,
        prediction=prediction,
        latent=latent,
        size=parts.unet.config.sample_size * latent.factor,
        words=parts.words,
    )


def _moved(encoder: TextEncoder, device: torch.device) -> TextEncoder:
    return replace(encoder, network=encoder.network.to(device))


def _device(name: str | None) -> torch.device:
    known = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    there = [each for each, is_there in known.items() if is_there]
    if name is None:
        return torch.device(there[0])
    if name.partition(":")[0] not in there:
        raise InvalidField(
            "this device is not there.", given=name, allowed=", ".join(there), fix="leave it out"
        )
    return torch.device(name)


def _dtype(name: str | None, device: torch.device) -> torch.dtype:
    if name is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    UnknownName.check("dtype", name, DTYPES)
    dtype: torch.dtype = DTYPES[name]
    return dtype


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
    try:
        ends = (scheduler["num_train_timesteps"], scheduler["beta_start"], scheduler["beta_end"])
    except KeyError as error:
        raise LoadError(
            f"the noise schedule is not told: {error} is missing.",
            given=", ".join(scheduler),
            allowed="num_train_timesteps, beta_start, beta_end",
            fix="copy scheduler/scheduler_config.json again",
        ) from error
    schedule = BETA_SCHEDULES[name](*ends)
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
