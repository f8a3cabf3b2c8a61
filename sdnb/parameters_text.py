"""The ``parameters`` text of a picture, which most tools for Stable Diffusion read.

    a cat <lora:style:0.8>
    Negative prompt: blurry
    Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 4, Seed: 7, Size: 512x512

Written here; what others wrote is read by `sdnb.records.a1111`, with the names of this file.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.lora import Lora
from sdnb.request import GenerationRequest

SAMPLER_NAMES = {
    "ddim": "DDIM",
    "plms": "PLMS",
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "lms": "LMS",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "uni_pc": "UniPC",
    "lcm": "LCM",
}
"""Names of samplers, as other tools show them; the rest keep ours."""
SCHEDULE_NAMES = {
    "simple": "Simple",
    "normal": "Normal",
    "sgm_uniform": "SGM Uniform",
    "ddim_uniform": "DDIM",
    "karras": "Karras",
    "exponential": "Exponential",
    "polyexponential": "Polyexponential",
    "kl_optimal": "KL Optimal",
    "beta_sigma": "Beta",
    "align_your_steps": "Align Your Steps",
}
"""Names of schedules, as other tools show them."""

UPSCALER_NAMES = {
    "latent": "Latent",
    "latent_nearest": "Latent (nearest)",
    "latent_bicubic": "Latent (bicubic)",
    "lanczos": "Lanczos",
}
"""Ways to enlarge, as other tools show them."""


def parameters(request: GenerationRequest, *, index: int, checkpoint_sha256: str = "") -> str:
    """Return the text form: prompt, negative prompt, then ``Steps: 20, Sampler: …``."""
    lines = [" ".join([request.prompt, *map(_tag, request.loras)])]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    settings = [*_settings(request, index), ("Version", f"sdnb {version_of('sdnb')}")]
    if checkpoint_sha256:
        settings.insert(-1, ("Model hash", checkpoint_sha256[:10]))  # as short as others write it
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings))
    return "\n".join(lines)


def _settings(request: GenerationRequest, index: int) -> Iterator[tuple[str, str]]:
    yield "Steps", str(request.steps)
    yield "Sampler", _known_as(request.sampler, SAMPLER_NAMES)
    yield "Schedule type", _known_as(request.schedule, SCHEDULE_NAMES)
    yield "CFG scale", f"{request.cfg_scale:g}"
    if request.seed is not None:
        yield "Seed", str(request.seed + index)
    if request.width is not None and request.height is not None:
        yield "Size", f"{request.width}x{request.height}"
    if request.checkpoint is not None:
        yield "Model", _bare_name(request.checkpoint)
    yield from _denoising(request)
    if request.clip_skip:
        # This form counts the layer that is read, from the end: 1 reads the last.
        yield "Clip skip", str(request.clip_skip + 1)
    for number, unit in enumerate(_units(request)):
        yield f"ControlNet {number}", unit
    for key, files in (("Lora hashes", request.loras), ("TI hashes", request.embeddings)):
        if hashes := {each.name: each.sha256[:12] for each in files if each.sha256}:
            yield key, ", ".join(f"{name}: {digits}" for name, digits in hashes.items())


def _denoising(request: GenerationRequest) -> Iterator[tuple[str, str]]:
    """Give how far the run goes from what it begins with; the form has one such number only."""
    share = request.denoise if request.strength is None else request.strength
    hires = request.hires
    if hires is None:
        if share < 1:
            yield "Denoising strength", f"{share:g}"
        return
    if share < 1:
        yield "First pass denoising strength", f"{share:g}"
    yield "Denoising strength", f"{hires.denoise:g}"
    yield "Hires upscale", f"{hires.scale:g}"
    if hires.steps is not None:
        yield "Hires steps", str(hires.steps)
    yield "Hires upscaler", UPSCALER_NAMES[hires.upscale]


def _units(request: GenerationRequest) -> Iterator[str]:
    """Write what steers as the extension for ControlNets does; pictures are not in this form."""
    steering = [*request.controls, *request.ip_adapters]
    for each in steering:
        is_control = isinstance(each, Control)
        digits = f" [{each.sha256[:8]}]" if each.sha256 else ""
        parts = {
            "Module": "none" if is_control else "ip-adapter-auto",
            "Model": _bare_name(each.reference) + digits,
            "Weight": f"{each.weight:g}",
            "Resize Mode": "Just Resize" if is_control else "Crop and Resize",
            "Guidance Start": f"{each.begin:g}",
            "Guidance End": f"{each.end:g}",
            "Control Mode": "Balanced",
        }
        yield ", ".join(f"{key}: {value}" for key, value in parts.items())


def _tag(lora: Lora) -> str:
    """Write a LoRA as this form does, in the prompt; of two weights the text's comes first."""
    weights = dict.fromkeys(reversed(lora.weights))
    return ":".join(["<lora", lora.name, *(f"{weight:g}" for weight in weights)]) + ">"


def _bare_name(checkpoint: str) -> str:
    """Return a file's name without its folders, which are nobody else's affair."""
    path = Path(checkpoint)
    is_file = path.suffix in (".safetensors", ".ckpt")
    return path.stem if is_file else (path.name if path.is_absolute() else checkpoint)


def _known_as(choice: Choice, names: Mapping[str, str]) -> str:
    return names.get(choice.name, choice.name)


def _quoted(value: str) -> str:
    return json.dumps(value) if any(mark in value for mark in ',:\n"') else value


@cache
def version_of(library: str) -> str:
    """Return the version of an installed library, in words."""
    try:
        return version(library)
    except PackageNotFoundError:  # sdnb run from a source tree that was not installed
        return "unknown"
