"""The prompts of a ComfyUI workflow, and the ControlNets that stand in their way.

Source: the inputs of ComfyUI's built-in conditioning nodes, as its documentation lists them.
"""

from sdnb.control import Control
from sdnb.errors import InvalidField, SdnbError
from sdnb.models.controlnet_file import SHIPPED
from sdnb.records.comfyui_pictures import Pictures
from sdnb.records.draft import Draft
from sdnb.records.named_parts import bare_name, part_line
from sdnb.records.workflow import Node, Source, Workflow

_ANY = ("conditioning", "positive", "conditioning_1", "conditioning_to", "base", "cond")
_MOST = 64
"""Nodes that are read for the prompts, at most, each as often as it is used."""

_LONGEST = 100_000  # characters of one node's text
_ODD = ("[", "BREAK")
"""What sdnb's prompts read and ComfyUI's do not."""


class Prompts:
    """One reading of a workflow's prompts."""

    def __init__(self, workflow: Workflow, draft: Draft, pictures: Pictures) -> None:
        self._workflow, self._draft, self._pictures = workflow, draft, pictures
        self._controls: list[Control] = []
        self._seen: set[str] = set()
        self._visits = 0

    def read(self, sampler: Node) -> None:
        """Read what a sampler is told, for and against."""
        for name, field in (("positive", "prompt"), ("negative", "negative_prompt")):
            source = self._workflow.source(sampler, name)
            text = "" if source is None else self._text(source)
            self._draft.take(f"{sampler.place} {name}", text, {field: text})
        self._draft.request = self._draft.request.changed(
            controls=tuple(reversed(self._controls)), syntax="comfyui"
        )

    def _text(self, source: Source) -> str:
        node = source.node
        self._visits += 1
        if self._visits > _MOST:
            raise InvalidField(
                "the prompts of this workflow run in a circle, or through too many nodes.",
                given=node.place,
                allowed=f"at most {_MOST} nodes, that begin somewhere",
                fix="export it again",
            )
        if node.kind == "CLIPTextEncode":
            return self._written(node)
        if node.kind == "ConditioningConcat":
            names = ("conditioning_to", "conditioning_from")
            parts = [self._workflow.source(node, name) for name in names]
            return " BREAK ".join(self._text(part) for part in parts if part)
        following = self._after(source)
        return "" if following is None else self._text(following)

    def _after(self, source: Source) -> Source | None:
        """Return what lies behind a node; what it did itself is read, or said to be left out."""
        node, name = source.node, "conditioning"
        if node.kind in ("ControlNetApply", "ControlNetApplyAdvanced"):
            if node.kind.endswith("Advanced"):
                name = "negative" if source.output == 1 else "positive"
            if node.id not in self._seen:
                self._seen.add(node.id)
                self._read_control(node)
            return self._workflow.source(node, name)
        if node.kind == "ConditioningZeroOut":
            self._draft.leave(node.place, "", "it gives zeros; here it is an empty prompt")
            return None
        if node.id not in self._seen:
            self._seen.add(node.id)
            self._draft.leave(node.place, "", "what it does to the prompt is left out")
        return self._workflow.first_source(node, _ANY)

    def _written(self, node: Node) -> str:
        """Return the text that a node encodes; a link leads to a node that holds one."""
        holder, name = node, "text"
        if (source := self._workflow.source(node, "text")) is not None:
            holder = source.node
            texts = [key for key, value in holder.inputs.items() if isinstance(value, str)]
            name = texts[0] if texts else ""
        text = holder.inputs.get(name)
        if not isinstance(text, str) or len(text) > _LONGEST:
            self._draft.leave(node.place, "text", f"{holder.place} holds no text that can be read")
            return ""
        if holder is not node:
            self._draft.leave(holder.place, name, "unknown here; its text is taken as it stands")
        self._read_skip(node)
        for odd in _ODD:
            if odd in text:
                why = (
                    "it means something else to sdnb, or nothing: --syntax plain takes all as text"
                )
                self._draft.leave(node.place, odd, why)
        return text

    def _read_skip(self, node: Node) -> None:
        """Read which layer of the text encoder is used, on the way back to it."""
        seen: set[str] = set()
        source = self._workflow.source(node, "clip")
        while source is not None and source.node.id not in seen:
            part = source.node
            seen.add(part.id)
            if part.kind == "CLIPSetLastLayer" and part.id not in self._seen:
                self._seen.add(part.id)
                layer = int(part.number("stop_at_clip_layer", -1.0))  # -1 is the last
                self._draft.take(part.place, str(layer), {"clip_skip": -layer - 1})
            source = self._workflow.source(part, "clip")

    def _read_control(self, node: Node) -> None:
        loader = self._workflow.source(node, "control_net")
        name = "" if loader is None else bare_name(loader.node.word("control_net_name"))
        source = self._workflow.source(node, "image")
        picture = None if source is None else self._pictures.of(source)
        if picture is None or loader is None:
            self._draft.leave(node.place, name, "left out: its picture or ControlNet is missing")
            return
        try:
            control = Control(
                picture=picture,
                reference=name,
                weight=node.number("strength", 1.0),
                begin=node.number("start_percent", 0.0),
                end=node.number("end_percent", 1.0),
            )
        except SdnbError as error:
            self._draft.leave(node.place, name, error.what)
            return
        self._controls.append(control)
        self._draft.lines.append(part_line(node.place, name, str(control), SHIPPED))
        if (control.begin, control.end) != (0, 1):
            self._draft.leave(
                node.place, "start_percent, end_percent", "there of the noise, here of the steps"
            )
