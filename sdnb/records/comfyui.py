"""A ComfyUI workflow -> a request: what the core nodes say, and which others stand in the way.

The graph is followed backwards, from the picture that is saved to its sampler, and from there to
the model, the prompts and the latents that it begins with. Source: the inputs of ComfyUI's
built-in nodes, as its public documentation lists them.
"""

from collections.abc import Sequence
from pathlib import Path

from sdnb.errors import InvalidField, SdnbError
from sdnb.hires import Hires
from sdnb.records.comfyui_model import Model
from sdnb.records.comfyui_nodes import UPSCALES
from sdnb.records.comfyui_pictures import Pictures
from sdnb.records.comfyui_prompts import Prompts
from sdnb.records.comfyui_sampling import SAMPLING, Sampling
from sdnb.records.draft import Draft
from sdnb.records.recalled import Recalled
from sdnb.records.workflow import Node, Source, Workflow

ENDS = ("SaveImage", "PreviewImage", "SaveAnimatedWEBP", "SaveAnimatedPNG")
ENLARGING = ("LatentUpscale", "LatentUpscaleBy", "ImageScale", "ImageScaleBy")
ENCODING = ("VAEEncode", "VAEEncodeForInpaint", "SetLatentNoiseMask")
_SILENT = {*ENDS, "VAEDecode", "VAEDecodeTiled", "VAEEncode"}
_TO_THE_PICTURE = ("images", "image", "pixels", "samples", "latent", "latent_image")
_UPSCALES = {theirs: ours for ours, theirs in UPSCALES.items()}
ROUNDING = 8
"""Pixels by which a side may be another: the VAE's downsampling factor."""

_OTHER_NOISE = "images after the first start from other noise there"
_SHARED = ("cfg", "sampler_name", "scheduler", "sampler", "positive", "negative", "model")


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
        self.sampling = Sampling(workflow, draft)

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
        self.sampling.read(first)
        Model(self.workflow, self.draft, self.pictures).read(first)
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
        repeated = self.find(source, (*known, "RepeatLatentBatch"), "the latents").node
        if repeated.kind != "RepeatLatentBatch":
            return repeated
        count = {"batch_size": repeated.inputs.get("amount")}
        self.draft.take(repeated.place, str(count["batch_size"])[:60], count, _OTHER_NOISE)
        following = self.workflow.source(repeated, "samples")
        return None if following is None else self.find(following, known, "the latents").node

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
        theirs = f"{fields['width']}x{fields['height']}, batch of {count}"[:60]
        many = _OTHER_NOISE if count != 1 else ""
        self.draft.take(node.place, theirs, fields, many)

    def _read_hires(self, node: Node, last: Node, first: Node) -> None:
        """Read a second sampler as a second pass; what it does otherwise than the first is said."""
        if self.draft.request.hires is not None:
            self.draft.leave(last.place, "a third pass", "left out: a run has two passes here")
            return
        resizing = self._resizing(node)
        method = resizing.word("upscale_method")
        is_latent = resizing.kind.startswith("Latent")
        ours = _UPSCALES.get(method, "latent") if is_latent else "lanczos"
        is_same = method in _UPSCALES if is_latent else method == "lanczos"
        hires = self._second_pass(resizing, ours, last, first)
        if hires is None:
            return
        why = "" if is_same else f"{method} is no way to enlarge here; {ours} instead"
        self.draft.take(last.place, "a second pass", {"hires": hires}, why)
        for name in _SHARED:
            if last.inputs.get(name) != first.inputs.get(name):
                theirs = f"{name} is another one"
                self.draft.leave(last.place, theirs, "both passes have the first one's here")
        self._say_stretched(resizing, float(hires.scale))

    def _second_pass(self, resizing: Node, ours: str, last: Node, first: Node) -> Hires | None:
        """Return what a second sampler does; None, and a line, where a run cannot."""
        before, after = self.sampling.levels(first), self.sampling.levels(last)
        if before is None or after is None:
            return None
        if after.steps < 1:
            self.draft.leave(last.place, "a second pass", "left out: it makes no step")
            return None
        try:
            return Hires(
                scale=_scale(resizing, self.draft.request.width),
                denoise=after.denoise * after.made / after.steps,
                steps=None if after.made == before.steps else after.made,
                upscale=ours,
            )
        except (SdnbError, ValueError) as error:
            why = error.what if isinstance(error, SdnbError) else "its size is not said"
            self.draft.leave(last.place, "a second pass", why)
            return None

    def _say_stretched(self, resizing: Node, scale: float) -> None:
        """Say where a second pass has other proportions; less is rounding."""
        wide, high = resizing.number("width", 0.0), resizing.number("height", 0.0)
        alike = (self.draft.request.height or 0) * scale
        if high and alike and abs(high - alike) > ROUNDING:
            why = f"stretched to {wide:g}x{high:g} there; here both sides grow alike"
            self.draft.leave(resizing.place, "", why)

    def _resizing(self, node: Node) -> Node:
        """Return the node on the way back from a second pass that says the size."""
        found: Node | None = node
        while found is not None and found.kind not in (*ENLARGING, *SAMPLING):
            source = self.workflow.first_source(found, _TO_THE_PICTURE)
            found = None if source is None else source.node
        return found or node


def _circle(node: Node) -> InvalidField:
    return InvalidField(
        "this workflow runs in a circle.",
        given=node.place,
        allowed="nodes that begin somewhere",
        fix="export it again",
    )


def _scale(node: Node, width: int | None) -> float:
    if node.kind.endswith("By"):
        return node.number("scale_by", 2.0)
    wide = node.number("width", 0.0)
    if not width or not wide:
        raise ValueError("no width")
    return wide / width
