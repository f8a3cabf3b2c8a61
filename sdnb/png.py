"""PNG files that carry their whole request: written, read back, readable elsewhere.

Two text chunks: ``sdnb`` holds the request as JSON, ``parameters`` the text form that most
tools for Stable Diffusion read. Which images of a Result get which path is in `sdnb.result`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.errors import InvalidField, SdnbError
from sdnb.files import save_new
from sdnb.lora import Lora
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import PIL.Image
    from PIL.PngImagePlugin import PngInfo

FORMAT = 1
"""Version of the ``sdnb`` chunk."""

CHECKPOINT = "checkpoint sha256"
"""The fact that tells checkpoints of one name apart."""

_LIBRARIES = ("sdnb", "torch", "diffusers", "transformers")
_SAMPLER_NAMES = {
    "ddim": "DDIM",
    "plms": "PLMS",
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "dpmpp_2m": "DPM++ 2M",
}
_SCHEDULE_NAMES = {
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
_UPSCALER_NAMES = {
    "latent": "Latent",
    "latent_nearest": "Latent (nearest)",
    "latent_bicubic": "Latent (bicubic)",
    "lanczos": "Lanczos",
}


def write(
    image: "PIL.Image.Image",
    path: str | Path,
    request: GenerationRequest,
    *,
    index: int,
    facts: Mapping[str, str],
) -> Path:
    """Save one image of a run; an existing file is never replaced.

    Parameters
    ----------
    path : str or Path
        Where to; ``cat.png`` becomes ``cat-2.png`` if there is one already. The folder is made.
    request : GenerationRequest
        What was run, with its seed and size resolved.
    index : int
        Place of the image in its batch: its seed is ``request.seed + index``.
    facts : Mapping of str to str
        What else is worth knowing of the run: evaluations, seconds, device.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidField
        When the file cannot be written; what was there before is untouched.
    """
    return save_new(path, _encoded(image, _chunks(request, index, facts)))


def read(path: str | Path) -> tuple[GenerationRequest, int]:
    """Return the request a PNG carries, and the image's place in its batch.

    Raises
    ------
    InvalidField
        When the file is not there, is no PNG, or carries no request that can be read.
    """
    text = read_info(path)
    if "sdnb" not in text:
        raise unreadable(path, "this picture carries no sdnb request")
    try:
        values = json.loads(text["sdnb"])
        if values["version"] > FORMAT:
            raise unreadable(path, "this picture was saved by a newer sdnb", "upgrade sdnb")
        return GenerationRequest.from_json(values["request"]), int(values["index"])
    except SdnbError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise unreadable(path, "the request in this picture is damaged") from error


def parameters(request: GenerationRequest, *, index: int, checkpoint_sha256: str = "") -> str:
    """Return the text form: prompt, negative prompt, then ``Steps: 20, Sampler: …``."""
    lines = [" ".join([request.prompt, *map(_tag, request.loras)])]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    settings = [*_settings(request, index), ("Version", f"sdnb {_version('sdnb')}")]
    if checkpoint_sha256:
        settings.insert(-1, ("Model hash", checkpoint_sha256[:10]))  # as short as others write it
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings))
    return "\n".join(lines)


def _settings(request: GenerationRequest, index: int) -> Iterator[tuple[str, str]]:
    yield "Steps", str(request.steps)
    yield "Sampler", _known_as(request.sampler, _SAMPLER_NAMES)
    yield "Schedule type", _known_as(request.schedule, _SCHEDULE_NAMES)
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
    yield "Hires upscaler", _UPSCALER_NAMES[hires.upscale]


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
def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # sdnb run from a source tree that was not installed
        return "unknown"


def _chunks(request: GenerationRequest, index: int, facts: Mapping[str, str]) -> "PngInfo":
    from PIL.PngImagePlugin import PngInfo

    values = {
        "version": FORMAT,
        "request": request.to_json(),
        "index": index,
        "facts": dict(facts),
        "software": software(),
    }
    chunks = PngInfo()
    hashed = facts.get(CHECKPOINT, "")
    chunks.add_text("parameters", parameters(request, index=index, checkpoint_sha256=hashed))
    chunks.add_text("sdnb", json.dumps(values))
    return chunks


def software() -> dict[str, str]:
    """Return the versions of what makes the pictures, by library."""
    return {library: _version(library) for library in _LIBRARIES}


def _encoded(image: "PIL.Image.Image", chunks: "PngInfo") -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def read_info(path: str | Path, formats: Sequence[str] = ("PNG",)) -> dict[str, Any]:
    """Return what a picture file carries beside its pixels, by Pillow's names.

    Raises `InvalidField` where there is no such file, or none of these formats.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=list(formats)) as image:
            image.load()  # text chunks may stand after the pixels
            return {str(key): value for key, value in image.info.items()}
    except FileNotFoundError as error:
        raise unreadable(path, "there is no such file", "check the path") from error
    except (OSError, SyntaxError, ValueError) as error:
        kinds = " or ".join(formats)
        raise unreadable(path, f"this file is no {kinds}, or a broken one") from error


def unreadable(path: str | Path, what: str, fix: str = "") -> InvalidField:
    """Return the error of a file that does not carry what sdnb wrote into it."""
    return InvalidField(
        f"{what}.",
        given=str(path),
        allowed="a file saved by sdnb, unchanged since",
        fix=fix or "use the file as sdnb wrote it: many tools drop a picture's text",
    )
