"""From a reference to `Components`; device and dtype are decided here, once.

Text encoders and VAE stay in float32 (they are small, and float16 harms both); the U-Net takes
float16 on a GPU.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from sdnb.errors import InvalidField, LoadError, UnknownName
from sdnb.models.checkpoint import locate
from sdnb.models.components import Components, LatentSpec, Network, TextEncoder
from sdnb.models.contents import Contents
from sdnb.models.families.family import Family
from sdnb.models.folder import read_folder, read_texts_folder, read_vae_folder
from sdnb.models.hashing import hash_checkpoint
from sdnb.models.offload import HOME, Offload
from sdnb.models.recipe import Recipe
from sdnb.models.single_file import read_file, read_texts, read_vae
from sdnb.models.training_noise import SETTINGS, noise_of

DTYPES = {name: getattr(torch, name) for name in ("float16", "bfloat16", "float32")}


def load_components(  # noqa: PLR0913 - all of them may be left out
    reference: str = "tiny",
    *,
    vae: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    offload: bool = False,
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
    offload : bool
        Whether networks take turns on the device, as `sdnb.models.offload` says.
    allow_pickle : bool
        Whether tensors may be read out of a pickle; of embeddings too.

    Raises `LoadError`, saying which part is missing or broken.
    """
    where = _device(device)
    kind = _dtype(dtype, where)
    path = locate(reference)
    with _without_progress_bars():
        if path.is_dir():
            contents = read_folder(path, kind)
        else:
            contents = read_file(path, kind, allow_pickle=allow_pickle)
        if vae is not None:
            other = load_vae(vae, contents.family, allow_pickle=allow_pickle)
            contents = replace(contents, vae=other)
    recipe = Recipe(
        reference=reference,
        vae=vae,
        device=device,
        dtype=dtype,
        offload=offload,
        allow_pickle=allow_pickle,
    )
    components = _components(recipe, path, contents, where)
    return components if vae is None else _marked(components, vae=vae)


def load_again(recipe: Recipe) -> Components:
    """Load what was loaded before, here or in another process."""
    components = load_components(
        recipe.reference,
        vae=recipe.vae,
        device=recipe.device,
        dtype=recipe.dtype,
        offload=recipe.offload,
        allow_pickle=recipe.allow_pickle,
    )
    for swap in recipe.swaps:
        components = swap_parts(components, **swap)
    return components


def swap_parts(
    components: Components,
    *,
    vae: str | None = None,
    text_encoders: str | None = None,
    scheduler: Mapping[str, Any] | None = None,
) -> Components:
    """Return the same checkpoint with other parts; those that stay are shared with it.

    Parameters
    ----------
    vae, text_encoders : str or None
        Where they come from: a checkpoint of the same family, for a VAE also a file of its own.
    scheduler : mapping or None
        What is other about the noise of training than the checkpoint says, in diffusers' words.

    Raises `LoadError` for parts that do not fit, and changes nothing then.
    """
    family = components.family
    device = components.device if components.offload is None else HOME
    changes: dict[str, Any] = {}
    for name in scheduler or ():
        UnknownName.check("setting of the noise", name, SETTINGS)
    with _without_progress_bars():
        if vae is not None:
            other = load_vae(vae, family)
            other.to(device, memory_format=memory_format(other.dtype, components.device))
            changes |= {"vae": other, "latent": latent_spec(other)}
        if text_encoders is not None:
            texts = load_texts(text_encoders, family)
            changes["texts"] = tuple(_moved(encoder, device) for encoder in texts)
    if scheduler is not None:
        changes["scheduler"] = {**components.scheduler, **scheduler}
        changes["noise_schedule"], changes["prediction"] = noise_of(changes["scheduler"])
    parts = {"vae": vae, "text_encoders": text_encoders, "scheduler": scheduler}
    recipe = replace(components.recipe, swaps=(*components.recipe.swaps, parts))
    swapped = replace(components, recipe=recipe, **changes)
    _check_fit(swapped)
    return _marked(swapped, **parts)


def _marked(components: Components, **parts: object) -> Components:
    """Name what is other than in the checkpoint: a record of it alone would mean other pictures."""
    said = [f"{name}={part}" for name, part in parts.items() if part is not None]
    marks = "".join(f" + {each}" for each in said)
    hashed = sha256(f"{components.sha256}{marks}".encode()).hexdigest()
    return replace(components, reference=f"{components.reference}{marks}", sha256=hashed)


def load_texts(reference: str, family: Family) -> tuple[TextEncoder, ...]:
    """Load the text encoders of a checkpoint of a family, in float32."""
    path = locate(reference)
    return read_texts_folder(path, family) if path.is_dir() else read_texts(path, family)


def load_vae(reference: str, family: Family, *, allow_pickle: bool = False) -> Network:
    """Load the VAE of a checkpoint, or one that is a file or folder of its own, in float32."""
    folder = Path(reference).expanduser()
    if (folder / "config.json").is_file():
        return read_vae_folder(folder)
    path = locate(reference)
    if path.is_dir():
        return read_vae_folder(path / "vae")
    return read_vae(path, family, allow_pickle=allow_pickle)


def latent_spec(vae: Network) -> LatentSpec:
    """Describe the latent space of a VAE."""
    return LatentSpec(
        channels=vae.config.latent_channels,
        factor=2 ** (len(vae.config.block_out_channels) - 1),
        scale=vae.config.scaling_factor,
        shift=vae.config.shift_factor or 0.0,
    )


def _components(recipe: Recipe, path: Path, contents: Contents, device: torch.device) -> Components:
    if contents.vae is None:
        raise LoadError(
            "this checkpoint brings no VAE.",
            given=str(path),
            allowed="a checkpoint with one, or one beside it",
            fix=f"sdnb.load({recipe.reference!r}, vae=...): one for {contents.family.name}",
        )
    noise_schedule, prediction = noise_of(contents.scheduler)
    latent = latent_spec(contents.vae)
    for network in (contents.unet, contents.vae):
        network.to(memory_format=memory_format(network.dtype, device))
    offload = Offload(device) if recipe.offload else None
    device = device if offload is None else HOME
    components = Components(
        recipe=recipe,
        reference=recipe.reference,
        sha256=hash_checkpoint(path),
        family=contents.family,
        texts=tuple(_moved(encoder, device) for encoder in contents.texts),
        unet=contents.unet.to(device),
        vae=contents.vae.to(device),
        scheduler=contents.scheduler,
        noise_schedule=noise_schedule,
        prediction=prediction,
        latent=latent,
        size=contents.unet.config.sample_size * latent.factor,
        words=contents.words,
        offload=offload,
    )
    _check_fit(components)
    return components


def _check_fit(components: Components) -> None:
    """Raise `LoadError` where a part does not fit the U-Net."""
    reads = components.unet.config.cross_attention_dim
    widths = [encoder.network.config.hidden_size for encoder in components.texts]
    if components.latent.channels != components.unet.config.out_channels:
        raise LoadError(
            "this VAE has another latent space than the checkpoint.",
            given=f"{components.latent.channels} channels",
            allowed=f"{components.unet.config.out_channels} channels",
            fix=f"take a VAE of the family {components.family.name}",
        )
    channels = components.latent.channels
    if components.unet.config.in_channels not in (channels, 2 * channels + 1):
        raise LoadError(
            "this network is shown something that sdnb does not know.",
            given=f"{components.unet.config.in_channels} channels",
            allowed=f"{channels}, or {2 * channels + 1} for inpainting",
            fix="load it with diffusers and look inside with sdnb.observe(pipeline)",
        )
    if components.unet.config.addition_embed_type and components.family.time_ids is None:
        raise LoadError(
            "this network is told something beside the text that sdnb does not know.",
            given=str(components.unet.config.addition_embed_type),
            allowed=f"what the family {components.family.name} is told",
            fix="load it with diffusers and look inside with sdnb.observe(pipeline)",
        )
    if sum(widths) != reads:
        raise LoadError(
            "these text encoders are of another family than the checkpoint.",
            given=f"vectors of {' + '.join(map(str, widths))}",
            allowed=f"{reads} in all",
            fix=f"take those of a checkpoint of the family {components.family.name}",
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
    if not re.fullmatch(rf"({'|'.join(there)})(:\d+)?", name):
        raise InvalidField(
            "this device is not there.", given=name, allowed=", ".join(there), fix="leave it out"
        )
    return torch.device(name)


def memory_format(dtype: torch.dtype, device: torch.device) -> torch.memory_format:
    """Return how the weights of convolutions lie: channels last for half precision on CUDA.

    Tensor cores want them so. On a CPU it gains next to nothing, and changes the last bits.
    """
    is_half = dtype in (torch.float16, torch.bfloat16)
    return torch.channels_last if is_half and device.type == "cuda" else torch.preserve_format


def _dtype(name: str | None, device: torch.device) -> torch.dtype:
    if name is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    UnknownName.check("dtype", name, DTYPES)
    dtype: torch.dtype = DTYPES[name]
    return dtype


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
