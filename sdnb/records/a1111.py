"""The ``parameters`` text of A1111's web UI and its kin -> a request, and what it cannot be here.

The form is described in `sdnb.parameters_text`, which writes it. Three things never match: noise
that was drawn on a GPU, noise inside a sampler's loop, and what extensions did.
"""

import json
import re
from collections.abc import Iterator, Mapping
from math import isclose

from sdnb.choice import Choice
from sdnb.errors import SdnbError
from sdnb.hires import Hires
from sdnb.lora import Lora
from sdnb.models.lora_file import SHIPPED as SHIPPED_LORAS
from sdnb.parameters_text import SAMPLER_NAMES, SCHEDULE_NAMES, UPSCALER_NAMES
from sdnb.picture_file import unreadable
from sdnb.records.draft import OWN_NOISE, Draft
from sdnb.records.named_parts import MOST_LORAS, bare_name, checkpoint_line, part_line
from sdnb.records.recalled import Recalled
from sdnb.records.report import Line
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request import GenerationRequest

LONGEST = 200_000
"""Characters that are read; such texts have some hundreds."""

_PAIR = re.compile(r'\s*(\w[\w /+.-]{0,60}?):\s*("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
_TAG = re.compile(r"<(\w+):([^<>]*)>")
_NEGATIVE = "Negative prompt:"
_ON_A_GPU = "the start noise was drawn on a GPU; here it is the CPU's, as with RNG: CPU"
_SILENT = {
    *("Version", "Model hash", "VAE hash", "Hashes", "Lora hashes", "Batch size", "Batch pos"),
    *("Schedule type", "Hires steps", "Hires upscaler", "Hires resize", "First pass strength"),
    *("Denoising strength", "Eta", "RNG", "Created Date", "User"),
}
"""What says nothing of its own: it is told with what it belongs to, or says who and when."""

_AUTOMATIC = {
    **dict.fromkeys(("dpmpp_2m", "dpmpp_sde", "dpmpp_2s_ancestral"), "karras"),
    **dict.fromkeys(("dpm_2", "dpm_2_ancestral"), "karras"),
    **dict.fromkeys(("dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde"), "exponential"),
    **dict.fromkeys(("ddim", "plms"), "ddim_uniform"),
}
"""What a sampler takes where the schedule is left to it; the others take ``normal``."""


def read_parameters(text: str, path: str) -> Recalled:
    """Read a ``parameters`` text; raises `InvalidField` for one without settings."""
    *above, last = text[:LONGEST].rstrip().rsplit("\n", 1)
    settings = {key.strip(): _unquoted(value) for key, value in _PAIR.findall(last)}
    if len(text) > LONGEST or "Steps" not in settings:
        raise unreadable(path, "this picture's parameters name no steps")
    draft, is_ours = Draft(path), settings.get("Version", "").startswith("sdnb")
    draft.request = draft.request.changed(syntax="comfyui" if is_ours else "a1111")
    _read_prompts(draft, above[0] if above else "")
    _read_numbers(draft, settings)
    _read_sampler(draft, settings)
    _read_model(draft, settings)
    _read_strength(draft, settings)
    if not is_ours:
        _read_noise(draft, settings)
    if words := settings.get("TI hashes"):
        draft.leave("TI hashes", words, "read where these stand in an embeddings folder, else text")
    for what in settings.keys() - _SILENT - {line.what for line in draft.lines}:
        draft.leave(what, settings[what], "sdnb has no such setting, or reads it from no file")
    lines = tuple(draft.lines)
    source = "sdnb, as parameters" if is_ours else "A1111"
    return Recalled(request=draft.request, source=source, path=path, lines=lines)


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        try:
            return str(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value.strip()


def _read_prompts(draft: Draft, above: str) -> None:
    prompt, found, negative = f"\n{above}".partition(f"\n{_NEGATIVE}")
    loras: list[Lora] = []
    for kind, written in _TAG.findall(prompt)[:MOST_LORAS]:
        if kind in ("lora", "lyco"):
            loras += _lora(draft, written)
        else:
            draft.leave(f"<{kind}:…>", written, "sdnb knows LoRAs only")
    prompt, negative = _TAG.sub("", prompt).strip(), negative.strip() if found else ""
    draft.take("Prompt", prompt, {"prompt": prompt, "loras": tuple(loras)})
    if negative:
        draft.take("Negative prompt", negative, {"negative_prompt": negative})
    for said, why in _dialect(f"{prompt} {negative}"):
        draft.leave(said, "in the prompt", why)


def _dialect(text: str) -> Iterator[tuple[str, str]]:
    """Give what prompts of A1111 may say and sdnb takes for text."""
    if re.search(r"\bAND\b", text):
        yield "AND", "several prompts at once: here it is a word"
    if re.search(r"\[[^\[\]:|]*\|[^\[\]]*\]", text):
        yield "[a|b]", "words that alternate from step to step: here they are text"


def _lora(draft: Draft, written: str) -> list[Lora]:
    """Read ``name:weight``, or with the text encoder's weight first ``name:text:unet``."""
    name, *weights = written.split(":")
    try:
        numbers = [float(weight.rpartition("=")[2]) for weight in weights[:2]] or [1.0]
        lora = Lora(bare_name(name), numbers[-1], numbers[0] if len(numbers) == 2 else None)
    except (ValueError, SdnbError):
        draft.leave("<lora:…>", written, "its weights cannot be read")
        return []
    draft.lines.append(part_line("LoRA", lora.reference, f"loras={lora}", SHIPPED_LORAS))
    return [lora]


def _read_numbers(draft: Draft, settings: Mapping[str, str]) -> None:
    numbers = {"Steps": ("steps", int), "CFG scale": ("cfg_scale", float), "Seed": ("seed", int)}
    for what, (name, read) in numbers.items():
        if what in settings:
            _take_number(draft, what, settings[what], name, read)
    if match := re.fullmatch(r"(\d{1,6})x(\d{1,6})", settings.get("Size", "")):
        draft.take("Size", match[0], {"width": int(match[1]), "height": int(match[2])})
    if (skip := settings.get("Clip skip", "")).isdecimal() and len(skip) < 4:
        draft.take("Clip skip", skip, {"clip_skip": int(skip) - 1})  # there 1 is the last layer


def _take_number(
    draft: Draft, what: str, written: str, name: str, read: type[int] | type[float]
) -> None:
    try:
        number = read(written)
    except ValueError:
        draft.leave(what, written, "it cannot be read as a number")
    else:
        draft.take(what, written, {name: number})


def _read_sampler(draft: Draft, settings: Mapping[str, str]) -> None:
    written = settings.get("Sampler", "")
    ours = {theirs.lower(): name for name, theirs in SAMPLER_NAMES.items()}
    base, _, suffix = written.rpartition(" ")  # before 1.9 the schedule stood with the sampler
    is_joined = suffix.lower() in ("karras", "exponential")
    theirs = (base if is_joined else written).lower()
    name = ours.get(theirs, theirs)
    if not name.isidentifier() or not SAMPLERS.knows(name):
        said = "unknown here" if written else "not said"
        draft.leave("Sampler", written, f"{said}; {draft.request.sampler} in its place")
        return
    eta = settings.get("Eta", "")
    choice, why = _with_eta(name, eta), OWN_NOISE if SAMPLERS[name].stochastic else ""
    draft.take("Sampler", written, {"sampler": choice}, why)
    _read_schedule(draft, name, settings.get("Schedule type", suffix if is_joined else ""))


def _with_eta(name: str, eta: str) -> Choice:
    is_known = "eta" in SAMPLERS.options(name) and re.fullmatch(r"\d+(\.\d+)?", eta)
    return Choice(name, (("eta", float(eta)),)) if is_known else Choice(name)


def _read_schedule(draft: Draft, sampler: str, written: str) -> None:
    ours = {name: name for name in SCHEDULES.names()}
    ours |= {theirs.lower(): name for name, theirs in SCHEDULE_NAMES.items()}
    ours |= {"uniform": "normal", "automatic": "", "": ""}
    if written.lower() not in ours:
        why = f"unknown here; {draft.request.schedule} in its place"
        draft.leave("Schedule type", written, why)
        return
    name = ours[written.lower()] or _AUTOMATIC.get(sampler, "normal")
    has_own = sampler in ("ddim", "plms", "uni_pc") and written.lower() in ("", "automatic")
    why = "there it has levels of its own, here the nearest schedule's" if has_own else ""
    draft.take("Schedule type", written or "Automatic", {"schedule": name}, why)


def _read_model(draft: Draft, settings: Mapping[str, str]) -> None:
    if name := bare_name(settings.get("Model", "")):
        draft.request = draft.request.changed(checkpoint=name)
        draft.lines.append(checkpoint_line("Model", name, settings.get("Model hash", "")))
    if vae := settings.get("VAE"):
        draft.leave("VAE", vae, "a request has its checkpoint's; load it with --vae for another")


def _read_strength(draft: Draft, settings: Mapping[str, str]) -> None:
    strength = settings.get("Denoising strength", "")
    if "Hires upscale" in settings or "Hires resize" in settings:
        _read_hires(draft, settings, strength)
    elif strength:
        why = "it began with a picture that is not in the file: --image FILE --strength " + strength
        draft.leave("Denoising strength", strength, why)


def _read_hires(draft: Draft, settings: Mapping[str, str], strength: str) -> None:
    upscaler = settings.get("Hires upscaler", "Latent")
    ours = {theirs: name for name, theirs in UPSCALER_NAMES.items()}
    try:
        scale = _scale(settings, draft.request)
        steps = int(settings.get("Hires steps", "0")) or None
        hires = Hires(
            scale=scale,
            denoise=float(strength or 0.5),
            steps=steps,
            upscale=ours.get(upscaler, "lanczos"),
        )
    except (ValueError, ArithmeticError) as error:  # an InvalidField is a ValueError
        why = error.what if isinstance(error, SdnbError) else "it cannot be read"
        draft.leave("Hires upscale", settings.get("Hires upscale", ""), why)
        return
    why = "" if upscaler in ours else f"{upscaler} is no way to enlarge here; lanczos instead"
    draft.take("Hires upscale", f"{scale:g}", {"hires": hires}, why)


def _scale(settings: Mapping[str, str], request: GenerationRequest) -> float:
    if "Hires upscale" in settings:
        return float(settings["Hires upscale"])
    width, height = (int(side) for side in settings["Hires resize"].split("x"))
    across, down = width / (request.width or 512), height / (request.height or 512)
    if not isclose(across or down, down or across, rel_tol=0.05):
        raise ValueError("other proportions")
    return across or down


def _read_noise(draft: Draft, settings: Mapping[str, str]) -> None:
    source = settings.get("RNG", "GPU")
    if source == "CPU":
        draft.lines.append(Line(what="RNG", theirs=source, ours="the same start noise"))
    else:
        draft.leave("RNG", source, _ON_A_GPU)
