"""A ComfyUI workflow -> a request: what the core nodes say, and which others stand in the way.

The graph is followed backwards, from the picture that is saved to its sampler, and from there to
the model, the prompts and the latents that it begins with. Source: the inputs of ComfyUI's
built-in nodes, as its public documentation lists them.
"""

from collections.abc import Sequence
from pathlib import Path

from sdnb.choice import Choice
from sdnb.errors import InvalidField, SdnbError
from sdnb.hires import Hires
from sdnb.lora import Lora
from sdnb.models.lora_file import SHIPPED
from sdnb.records.comfyui_pictures import Pictures
from sdnb.records.comfyui_prompts import Prompts
from sdnb.records.draft import OWN_NOISE, Draft
from sdnb.records.named_parts import MOST_LORAS, bare_name, checkpoint_line, part_line
from sdnb.records.recalled import Recalled
from sdnb.records.workflow import Node, Source, Workflow
from sdnb.registry import SAMPLERS, SCHEDULES

ENDS = ("SaveImage", "PreviewImage", "SaveAnimatedWEBP", "SaveAnimatedPNG")
SAMPLING = ("KSampler", "KSamplerAdvanced")
ENLARGING = ("LatentUpscale", "LatentUpscaleBy", "ImageScale", "ImageScaleBy")
ENCODING = ("VAEEncode", "VAEEncodeForInpaint", "SetLatentNoiseMask")
_SILENT = {*ENDS, "VAEDecode", "VAEDecodeTiled", "VAEEncode"}
_TO_THE_PICTURE = ("images", "image", "pixels", "samples", "latent", "latent_image")
_UPSCALES = {"bilinear": "latent", "nearest-exact": "latent_nearest", "bicubic": "latent_bicubic"}


def read_workflow(text: str, path: str, folder: Path | None) -> Recalled:
    """Read an API workflow; ``folder`` is where its input pictures may be looked for.

    Raises `InvalidField` for what is no such workflow, and where no sampler is found that sdnb
    knows: it names the node that stands in the way.
    """
    workflow = Workflow.parse(text)
    reader = _Reader(workflow, Draft(path), folder)
    reader.read()
    draft = reader.draft
    return Recalled(
        request=draft.request,
        source="ComfyUI",
        path=path,
        lines=tuple(draft.lines),
        folder="" if folder is None else str(folder),
    )


class _Reader:
    """One reading of a workflow."""

    def __init__(self, workflow: Workflow, draft: Draft, folder: Path | None) -> None:
        self.workflow, self.draft = workflow, draft
        self.pictures = Pictures(workflow, draft, folder)

    def read(self) -> None:
        ends = list(self.workflow.of_kinds(*ENDS)) or list(self.workflow.of_kinds(*SAMPLING))
        if not ends:
            kinds = sorted({node.kind for node in self.workflow.nodes.values()})
            raise InvalidField(
                "this workflow saves no picture and has no sampler that sdnb knows.",
                given=", ".join(kinds)[:200],
                allowed=", ".join((*ENDS, *SAMPLING)),
                fix="make it with KSampler and SaveImage",
            )
        for other in ends[1:]:
            self.draft.leave(other.place, "", f"another picture; {ends[0].place} is read")
        last = self.find(Source(ends[0], 0), SAMPLING, "the picture").node
        first = self._read_start(last)
        self._read_sampling(first)
        self._read_model(first)
        Prompts(self.workflow, self.draft, self.pictures).read(first)

    def find(self, source: Source, kinds: Sequence[str], what: str) -> Source:
        """Go back to a node of some kinds; what lies between is said to be left out."""
        seen: set[str] = set()
        while source.node.kind not in kinds:
            node = source.node
            if node.id in seen:
                raise _circle(node)
            seen.add(node.id)
            if node.kind not in _SILENT:
                self.draft.leave(node.place, "", f"what it does to {what} is left out")
            following = self.workflow.first_source(node, _TO_THE_PICTURE)
            if following is None:
                raise InvalidField(
                    f"{node.place} is where {what} comes from, and sdnb does not know it.",
                    given=node.kind,
                    allowed=", ".join(kinds),
                    fix="make that part of the workflow with core nodes",
                )
            source = following
        return source

    def _read_start(self, last: Node) -> Node:
        """Read what a sampler begins with; return the sampler of the first pass."""
        first, node = last, self._behind(last)
        seen, seconds = {last.id}, list[tuple[Node, Node]]()
        while node is not None and (before := self._enlarged(node)) is not None:
            if before.id in seen:
                raise _circle(before)
            seen.add(before.id)
            if before is node:
                why = f"it goes on from {node.place}; only that is read"
                self.draft.leave(first.place, "", why)
            else:
                seconds.append((node, first))
            first, node = before, self._behind(before)
        if node is not None and node.kind == "EmptyLatentImage":
            self._read_size(node)
        elif node is not None:
            self.pictures.read_start(node)
        for enlarging, second in reversed(seconds):
            self._read_hires(enlarging, second, first)
        return first

    def _behind(self, sampler: Node) -> Node | None:
        """Return the node of a kind that sdnb knows whose latents come to a sampler."""
        source = self.workflow.source(sampler, "latent_image")
        if source is None:
            why = "it begins with no latents; an empty picture instead"
            self.draft.leave(sampler.place, "", why)
            return None
        known = ("EmptyLatentImage", *ENCODING, *ENLARGING, *SAMPLING)
        return self.find(source, known, "the latents").node

    def _enlarged(self, node: Node) -> Node | None:
        """Return the sampler whose picture or latents come to a node; None for a file's picture."""
        seen: set[str] = set()
        while node.kind not in SAMPLING:
            following = self.workflow.first_source(node, _TO_THE_PICTURE)
            if following is None or node.id in seen:
                return None
            seen.add(node.id)
            node = following.node
        return node

    def _read_size(self, node: Node) -> None:
        fields = {name: node.inputs.get(name) for name in ("width", "height", "batch_size")}
        count = fields["batch_size"] = fields["batch_size"] or 1
        theirs = f"{fields['width']}x{fields['height']}, batch of {count}"
        many = "images after the first start from other noise there" if count != 1 else ""
        self.draft.take(node.place, theirs, fields, many)

    def _read_hires(self, node: Node, last: Node, first: Node) -> None:
        """Read a second sampler as a second pass; what it does otherwise than the first is said."""
        resizing = self._resizing(node)
        method = resizing.word("upscale_method")
        is_latent = resizing.kind.startswith("Latent")
        ours = _UPSCALES.get(method, "latent") if is_latent else "lanczos"
        is_same = method in _UPSCALES if is_latent else method == "lanczos"
        try:
            hires = Hires(
                scale=_scale(resizing, self.draft.request.width),
                denoise=last.number("denoise", 1.0),
                steps=int(last.number("steps", 20.0)),
                upscale=ours,
            )
        except (SdnbError, ValueError) as error:
            why = error.what if isinstance(error, SdnbError) else "its size is not said"
            self.draft.leave(last.place, "a second pass", why)
            return
        why = "" if is_same else f"{method} is no way to enlarge here; {ours} instead"
        self.draft.take(last.place, "a second pass", {"hires": hires}, why)
        for name in ("cfg", "sampler_name", "scheduler", "positive", "negative", "model"):
            if last.inputs.get(name) != first.inputs.get(name):
                theirs = f"{name} is another one"
                self.draft.leave(last.place, theirs, "both passes have the first one's here")

    def _resizing(self, node: Node) -> Node:
        """Return the node on the way back from a second pass that says the size."""
        found: Node | None = node
        while found is not None and found.kind not in (*ENLARGING, *SAMPLING):
            source = self.workflow.first_source(found, _TO_THE_PICTURE)
            found = None if source is None else source.node
        return found or node

    def _read_sampling(self, node: Node) -> None:
        is_advanced = node.kind == "KSamplerAdvanced"
        numbers = {"steps": "steps", "cfg": "cfg_scale"}
        numbers["noise_seed" if is_advanced else "seed"] = "seed"
        for theirs, ours in numbers.items():
            self.draft.take(f"{node.place} {theirs}", *_said(node, theirs, ours))
        self._read_sampler(node)
        if is_advanced:
            self._read_span(node)
        elif (denoise := node.number("denoise", 1.0)) != 1:
            self.draft.take(f"{node.place} denoise", f"{denoise:g}", {"denoise": denoise})

    def _read_sampler(self, node: Node) -> None:
        name, scheduler = node.inputs.get("sampler_name"), node.inputs.get("scheduler")
        request = self.draft.request
        if isinstance(name, str) and name.isidentifier() and SAMPLERS.knows(name):
            why = OWN_NOISE if SAMPLERS[name].stochastic else ""
            self.draft.take(f"{node.place} sampler_name", name, {"sampler": Choice(name)}, why)
        else:
            why = f"unknown here; {request.sampler} in its place"
            self.draft.leave(f"{node.place} sampler_name", str(name)[:60], why)
        if isinstance(scheduler, str) and scheduler in SCHEDULES.names():
            self.draft.take(f"{node.place} scheduler", scheduler, {"schedule": Choice(scheduler)})
        else:
            why = f"unknown here; {request.schedule} in its place"
            self.draft.leave(f"{node.place} scheduler", str(scheduler)[:60], why)

    def _read_span(self, node: Node) -> None:
        """Read which steps of a schedule an advanced sampler makes; the last ones can be said."""
        steps = node.number("steps", 20.0)
        begin, end = node.number("start_at_step", 0.0), node.number("end_at_step", 10_000.0)
        if end < steps or node.word("return_with_leftover_noise") == "enable":
            self.draft.leave(f"{node.place} end_at_step", f"{end:g}", "a run goes to its end here")
        if node.word("add_noise") == "disable":
            self.draft.leave(f"{node.place} add_noise", "disable", "a run begins with noise here")
        if 0 < begin < steps:
            share = (steps - begin) / steps
            self.draft.take(f"{node.place} start_at_step", f"{begin:g}", {"strength": share})

    def _read_model(self, node: Node) -> None:
        """Follow the model: LoRAs, the checkpoint, and what else was done to it."""
        loras: list[Lora] = []
        source, seen = self.workflow.source(node, "model"), set[str]()
        while source is not None and source.node.id not in seen:
            part = source.node
            seen.add(part.id)
            if part.kind == "CheckpointLoaderSimple":
                name = bare_name(part.word("ckpt_name"))
                if name:
                    self.draft.request = self.draft.request.changed(checkpoint=name)
                    self.draft.lines.append(checkpoint_line(part.place, name))
                break
            if part.kind in ("LoraLoader", "LoraLoaderModelOnly"):
                loras += self._lora(part) if len(loras) < MOST_LORAS else []
            else:
                self.draft.leave(part.place, "", "what it does to the model is left out")
            source = self.workflow.source(part, "model")
        else:
            why = "no checkpoint that sdnb knows stands behind the sampler; the loaded one draws"
            self.draft.leave(node.place, "model", why)
        if len(loras) == MOST_LORAS:
            self.draft.leave(node.place, "model", f"of its LoRAs {MOST_LORAS} are read")
        self.draft.request = self.draft.request.changed(loras=tuple(reversed(loras)))

    def _lora(self, node: Node) -> list[Lora]:
        name = bare_name(node.word("lora_name"))
        weight = node.number("strength_model", 1.0)
        text = 0.0 if node.kind == "LoraLoaderModelOnly" else node.number("strength_clip", weight)
        try:
            lora = Lora(name, weight, text)
        except SdnbError as error:
            self.draft.leave(node.place, name, error.what)
            return []
        self.draft.lines.append(part_line(node.place, name, f"loras={lora}", SHIPPED))
        return [lora]


def _circle(node: Node) -> InvalidField:
    return InvalidField(
        "this workflow runs in a circle.",
        given=node.place,
        allowed="nodes that begin somewhere",
        fix="export it again",
    )


def _said(node: Node, theirs: str, ours: str) -> tuple[str, dict[str, object]]:
    """Return an input as text, and as a field of the request, which refuses what is no number."""
    value = node.inputs.get(theirs)
    if isinstance(value, float) and value.is_integer() and ours != "cfg_scale":
        value = int(value)
    return str(value)[:60], {ours: value}


def _scale(node: Node, width: int | None) -> float:
    if node.kind.endswith("By"):
        return node.number("scale_by", 2.0)
    wide = node.number("width", 0.0)
    if not width or not wide:
        raise ValueError("no width")
    return wide / width
