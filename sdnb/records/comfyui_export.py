"""A request -> a ComfyUI workflow in API format, made of core nodes, and what it cannot say.

`sdnb.records.comfyui` reads the same nodes: read back, a workflow is its request again, but for
what the report lists. Source: ComfyUI's public documentation of its built-in nodes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdnb.control import Control
from sdnb.files import is_there, save_new
from sdnb.lora import Lora
from sdnb.models.checkpoint import EMBEDDED
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture
from sdnb.prompt import every_text, read_weights
from sdnb.records.comfyui_nodes import UPSCALES
from sdnb.records.comfyui_sampling_export import Pass, SamplingExport
from sdnb.records.named_parts import bare_name
from sdnb.records.new_workflow import Link, NewWorkflow, output
from sdnb.records.report import Line, as_table, as_text
from sdnb.request import GenerationRequest

SIZE = 512
"""Of a request that leaves its size to the checkpoint."""

SMALLEST = 16
"""Pixels that EmptyLatentImage gives at least."""

_BREAK = re.compile(r"\s*(?<!\S)BREAK(?!\S)\s*")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A workflow that was made of a request; it draws itself as a report.

    Parameters
    ----------
    nodes : Mapping
        The workflow: node -> its class and inputs, as JSON has it.
    pictures : Mapping of str to Picture
        What its nodes load, by the names that ComfyUI looks for in its ``input`` folder.
    lines : tuple of Line
        What was said, and what cannot match there.
    """

    nodes: Mapping[str, Any]
    pictures: Mapping[str, Picture]
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The workflow as JSON, which ComfyUI's page loads and its API takes."""
        return json.dumps(self.nodes, indent=2)

    @property
    def differences(self) -> tuple[Line, ...]:
        """What cannot match there, and why; empty where the first picture is the same."""
        return tuple(line for line in self.lines if line.why)

    def save(self, path: str | Path) -> list[Path]:
        """Save the workflow, and beside it the pictures that it loads; returns where they are.

        A file that exists is never overwritten: the workflow's gets a number.
        """
        folder = Path(path).parent
        paths = [save_new(path, self.text.encode())]
        for name, picture in self.pictures.items():
            known = folder / name
            paths.append(known if is_there(known) else save_new(known, picture.png))
        return paths

    def __repr__(self) -> str:
        return "\n\n".join([f"a workflow of {len(self.nodes)} nodes", *as_text(self.lines)])

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        table = "".join(as_table(self.lines))
        return {"text/plain": repr(self), "text/html": f"<div class='sdnb-exported'>{table}</div>"}


def write_workflow(request: GenerationRequest) -> Exported:
    """Make a workflow that draws a request in ComfyUI, as near as its core nodes can."""
    writer = _Writer(request)
    writer.write()
    workflow = writer.workflow
    return Exported(nodes=workflow.nodes, pictures=workflow.pictures, lines=tuple(workflow.lines))


class _Writer:
    """One writing of a workflow."""

    def __init__(self, request: GenerationRequest) -> None:
        self.request, self.workflow = request, NewWorkflow()
        width, height = request.width or SIZE, request.height or SIZE
        self._size = {"width": width, "height": height}
        if None in (request.width, request.height):
            why = "a workflow holds numbers"
            self.workflow.take("size", "the checkpoint's", f"{width}x{height}", why)
        elif min(width, height) < SMALLEST:
            why = f"EmptyLatentImage begins at {SMALLEST}"
            self.workflow.leave("size", f"{width}x{height}", why)

    def write(self) -> None:
        request, workflow = self.request, self.workflow
        model, clip, vae = self._model()
        told = {"model": model, **self._conditioning(clip)}
        sampling = SamplingExport(workflow, request)
        first = Pass(steps=request.steps, made=request.steps_made[0], denoise=request.denoise)
        samples = sampling.add(first, **told, latent_image=self._start(vae))
        if hires := request.hires:
            steps = hires.steps or request.steps
            second = Pass(steps=steps, made=steps, denoise=float(hires.denoise))
            samples = sampling.add(second, **told, latent_image=self._enlarged(samples, vae))
            workflow.take("hires", hires)
        images = workflow.add("VAEDecode", samples=samples, vae=vae)
        workflow.add("SaveImage", filename_prefix="sdnb", images=images)
        for what, ours, why in _unsayable(request):
            workflow.leave(what, ours, why)

    def _model(self) -> tuple[Link, Link, Link]:
        """Add the checkpoint, its LoRAs and the layer of the text encoder that is read."""
        request, workflow = self.request, self.workflow
        name = bare_name(request.checkpoint or "model")
        why = "name your checkpoint: the request names none" if request.checkpoint is None else ""
        if request.checkpoint in EMBEDDED or "/" in (request.checkpoint or ""):
            why = "ComfyUI loads single files from its own folder: have it there under this name"
        model = workflow.add("CheckpointLoaderSimple", ckpt_name=f"{name}.safetensors")
        workflow.take("checkpoint", request.checkpoint or "none", f"{name}.safetensors", why)
        clip, vae = output(model, 1), output(model, 2)
        for lora in request.loras:
            model = self._lora(lora, model, clip)
            clip = output(model, 1)
        if request.clip_skip:
            clip = workflow.add(
                "CLIPSetLastLayer", stop_at_clip_layer=-1 - min(request.clip_skip, 23), clip=clip
            )
            why = "CLIPSetLastLayer goes to -24" if request.clip_skip > 23 else ""
            workflow.take("clip_skip", request.clip_skip, why=why)
        return model, clip, vae

    def _lora(self, lora: Lora, model: Link, clip: Link) -> Link:
        name, weights = f"{bare_name(lora.reference)}.safetensors", lora.weights
        unet, text = (min(100.0, max(-100.0, weight)) for weight in weights)
        why = "" if (unet, text) == weights else "LoraLoader takes weights of -100 … 100"
        self.workflow.take("lora", lora, f"{name} in models/loras", why)
        strengths = {"strength_model": unet, "strength_clip": text}
        return self.workflow.add("LoraLoader", lora_name=name, **strengths, model=model, clip=clip)

    def _conditioning(self, clip: Link) -> dict[str, Link]:
        """Add the prompts, and behind them the ControlNets."""
        request = self.request
        positive = self._prompt("prompt", request.prompt, clip)
        negative = self._prompt("negative_prompt", request.negative_prompt, clip)
        for control in request.controls:
            positive = self._control(control, positive, negative)
            negative = output(positive, 1)
        return {"positive": positive, "negative": negative}

    def _prompt(self, what: str, text: str, clip: Link) -> Link:
        """Add a text; what follows a BREAK is encoded for itself and joined, as here."""
        text, parts, why = _there(text, self.request.syntax)
        self.workflow.take(what, text, why=why)
        encoded = [self.workflow.add("CLIPTextEncode", text=part, clip=clip) for part in parts]
        joined = encoded[0]
        for other in encoded[1:]:
            ends = {"conditioning_to": joined, "conditioning_from": other}
            joined = self.workflow.add("ConditioningConcat", **ends)
        return joined

    def _control(self, control: Control, positive: Link, negative: Link) -> Link:
        workflow, name = self.workflow, f"{bare_name(control.reference)}.safetensors"
        loaded = workflow.add("ControlNetLoader", control_net_name=name)
        strength = min(10.0, max(0.0, control.weight))
        why = "" if strength == control.weight else "its strength is 0 … 10 there"
        if (control.begin, control.end) != (0, 1):
            why = "begin and end are shares of the steps here, of the noise there"
        workflow.take("control", control, f"{name} in models/controlnet", why)
        return workflow.add(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=negative,
            control_net=loaded,
            image=workflow.load("LoadImage", control.picture),
            strength=strength,
            start_percent=control.begin,
            end_percent=control.end,
        )

    def _start(self, vae: Link) -> Link:
        """Add what the first pass begins with."""
        request, workflow, start = self.request, self.workflow, self.request.start
        if isinstance(start, FromNoise):
            return workflow.add("EmptyLatentImage", **self._size, batch_size=request.batch_size)
        pixels = workflow.load("LoadImage", start.picture)
        if start.picture.size != tuple(self._size.values()):
            how = {"upscale_method": "bicubic", "crop": "disabled"}
            pixels = workflow.add("ImageScale", image=pixels, **self._size, **how)
        latent = workflow.add("VAEEncode", pixels=pixels, vae=vae)
        workflow.take("start", _described(start), "a file in ComfyUI's input folder")
        if isinstance(start, Inpaint):
            grey = Picture.of(start.mask.open().convert("L"))
            mask = workflow.load("LoadImageMask", grey, channel="red")
            latent = workflow.add("SetLatentNoiseMask", samples=latent, mask=mask)
            why = "what is kept passes through the VAE there; here it keeps its pixels"
            workflow.leave("mask", "white is repainted", why)
        if request.batch_size > 1:
            latent = workflow.add("RepeatLatentBatch", samples=latent, amount=request.batch_size)
        return latent

    def _enlarged(self, samples: Link, vae: Link) -> Link:
        """Add what the second pass begins with, from the latents of the first."""
        hires, workflow = self.request.hires, self.workflow
        if hires is None:
            return samples
        if hires.upscale in UPSCALES:
            how = {"upscale_method": UPSCALES[hires.upscale], "scale_by": hires.scale}
            return workflow.add("LatentUpscaleBy", samples=samples, **how)
        images = workflow.add("VAEDecode", samples=samples, vae=vae)
        size = {name: hires.side(side) for name, side in self._size.items()}
        if all(size[name] == side * hires.scale for name, side in self._size.items()):
            how = {"upscale_method": "lanczos", "scale_by": hires.scale}
            pixels = workflow.add("ImageScaleBy", image=images, **how)
        else:
            how = {"upscale_method": "lanczos", "crop": "disabled"}
            pixels = workflow.add("ImageScale", image=images, **size, **how)
        return workflow.add("VAEEncode", pixels=pixels, vae=vae)


def _described(start: FromImage | Inpaint) -> str:
    width, height = start.picture.size
    return f"a picture of {width}x{height}"


def _unsayable(request: GenerationRequest) -> Iterator[tuple[str, object, str]]:
    """Give what no core node says: name, value, why."""
    for use in request.hooks:
        yield "hook", use, "ComfyUI calls no function of a notebook"
    for adapter in request.ip_adapters:
        yield "ip_adapter", adapter, "no core node: it needs an extension, such as IPAdapter plus"
    for embedding in request.embeddings:
        why = "prompts name it; have its file in models/embeddings"
        yield "embedding", embedding, why
    if request.syntax == "plain":
        yield "syntax", request.syntax, "brackets are written with backslashes: they stay text"
    if request.batch_size > 1:
        why = "images after the first start from other noise there"
        yield "batch_size", request.batch_size, why


def _there(text: str, syntax: str) -> tuple[str, list[str], str]:
    """Return a prompt as it is written there, its parts, and why it cannot mean the same."""
    if syntax == "plain":
        text = re.sub(r"([()\\])", r"\\\1", text)
        return text, [text], ""
    if len(every_text(text, syntax)) > 1:
        return text, [text], "words that change on the way here are text there"
    if syntax == "a1111" and any(piece.weight != 1 for piece in read_weights(text, syntax)):
        return text, [text], "weights in A1111's meaning here have ComfyUI's there"
    parts = _BREAK.split(text)
    if any(part.count("(") != part.count(")") for part in parts):
        return text, [text], "a BREAK within brackets is text there"
    return text, parts if parts[-1] or len(parts) == 1 else parts[:-1], ""
