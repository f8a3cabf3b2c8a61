"""The sampler of a ComfyUI workflow: its numbers, its name, its levels, with their options.

Source: the inputs of ComfyUI's built-in sampling nodes, as its documentation lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sdnb.choice import Choice, Plain
from sdnb.errors import SdnbError
from sdnb.records.comfyui_nodes import SAMPLER_NODES, SCHEDULE_NODES, ChoiceNode
from sdnb.records.draft import OWN_NOISE, Draft
from sdnb.records.workflow import Node, Workflow
from sdnb.registry import SAMPLERS, SCHEDULES, Registry

SAMPLING = ("KSampler", "KSamplerAdvanced", "SamplerCustom")


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Where a sampler's levels come from: a node, how many steps, how many of them are made."""

    node: Node
    steps: int
    made: int
    denoise: float


class Sampling:
    """One reading of a workflow's samplers."""

    def __init__(self, workflow: Workflow, draft: Draft) -> None:
        self._workflow, self._draft = workflow, draft

    def read(self, node: Node) -> None:
        """Read the first pass."""
        levels = self.levels(node)
        if levels is not None:
            self._take(node, "steps", "steps", levels.node.inputs.get("steps", levels.steps))
        seed = "seed" if node.kind == "KSampler" else "noise_seed"
        for theirs, ours in (("cfg", "cfg_scale"), (seed, "seed")):
            self._take(node, theirs, ours, node.inputs.get(theirs))
        self._read_sampler(node)
        if levels is not None:
            self._read_schedule(levels)
            self._read_span(node, levels)

    def levels(self, node: Node) -> Levels | None:
        """Return where a pass has its levels from; None, and a line, where sdnb knows no such."""
        if node.kind != "SamplerCustom":
            steps = int(node.number("steps", 20.0))
            begin = int(node.number("start_at_step", 0.0))
            made = steps - begin if 0 < begin < steps else steps
            return Levels(node=node, steps=steps, made=made, denoise=node.number("denoise", 1.0))
        source, split = self._workflow.source(node, "sigmas"), 0
        if source is not None and source.node.kind == "SplitSigmas" and source.output == 1:
            split = int(source.node.number("step", 0.0))
            source = self._workflow.source(source.node, "sigmas")
        kinds = {each.kind for each in SCHEDULE_NODES.values()} | {"BasicScheduler"}
        if source is None or source.node.kind not in kinds:
            place = node.place if source is None else source.node.place
            why = f"its levels are unknown here; {self._draft.request.schedule} in their place"
            self._draft.leave(place, "sigmas", why)
            return None
        steps = int(source.node.number("steps", 20.0))
        made = steps - split if 0 < split < steps else steps
        denoise = source.node.number("denoise", 1.0)
        return Levels(node=source.node, steps=steps, made=made, denoise=denoise)

    def _read_sampler(self, node: Node) -> None:
        source = self._workflow.source(node, "sampler") if node.kind == "SamplerCustom" else None
        place = node if source is None else source.node
        choice = _choice(place, SAMPLER_NODES, SAMPLERS)
        name = place.inputs.get("sampler_name")
        if choice is None and isinstance(name, str) and name.isidentifier():
            choice = Choice(name) if SAMPLERS.knows(name) else None
        what = f"{place.place} sampler_name"
        if choice is None:
            why = f"unknown here; {self._draft.request.sampler} in its place"
            self._draft.leave(what, str(name or place.kind)[:60], why)
            return
        why = OWN_NOISE if SAMPLERS[choice.name].stochastic else ""
        self._draft.take(what, str(name or choice), {"sampler": choice}, why)

    def _read_schedule(self, levels: Levels) -> None:
        node = levels.node
        choice, name = _choice(node, SCHEDULE_NODES, SCHEDULES), node.inputs.get("scheduler")
        if choice is None and isinstance(name, str) and name in SCHEDULES.names():
            choice = Choice(name)
        what = f"{node.place} scheduler"
        if choice is None:
            why = f"unknown here; {self._draft.request.schedule} in its place"
            self._draft.leave(what, str(name)[:60], why)
            return
        self._draft.take(what, str(name or choice), {"schedule": choice})

    def _read_span(self, node: Node, levels: Levels) -> None:
        """Read which steps of a schedule are made; the last ones can be said."""
        steps = levels.steps
        if node.kind == "KSamplerAdvanced":
            end, left = (
                node.number("end_at_step", 10_000.0),
                node.word("return_with_leftover_noise"),
            )
            if end < steps or left == "enable":
                why = "a run goes to its end here"
                self._draft.leave(f"{node.place} end_at_step", f"{end:g}", why)
        if node.inputs.get("add_noise") in ("disable", False):
            self._draft.leave(f"{node.place} add_noise", "disable", "a run begins with noise here")
        if levels.made < steps:
            share = _share(levels.made, steps)
            theirs = f"{steps - levels.made} of {steps} steps left out"
            self._draft.take(f"{node.place} start_at_step", theirs, {"strength": share})
        if levels.denoise != 1:
            said = {"denoise": levels.denoise}
            self._draft.take(f"{levels.node.place} denoise", f"{levels.denoise:g}", said)

    def _take(self, node: Node, theirs: str, ours: str, value: object) -> None:
        """Take a number as it stands; the request refuses what is none."""
        if isinstance(value, float) and value.is_integer() and ours != "cfg_scale":
            value = int(value)
        self._draft.take(f"{node.place} {theirs}", str(value)[:60], {ours: value})


def _choice(node: Node, nodes: Mapping[str, ChoiceNode], registry: Registry) -> Choice | None:
    """Return the sampler or schedule that a node of its own stands for, with its options."""
    name = next((name for name, each in nodes.items() if each.kind == node.kind), None)
    if name is None:
        return None
    options: list[tuple[str, Plain]] = []
    for ours, theirs in nodes[name].options.items():
        value = node.inputs.get(theirs)
        try:
            read = nodes[name].read(value) if isinstance(value, str | int | float) else None
        except ValueError:
            read = None
        if read is not None and read != registry.options(name).get(ours):
            options.append((ours, read))
    try:
        return Choice(name, tuple(options))
    except SdnbError:
        return None


def _share(made: int, steps: int) -> float:
    """Return the strength that leaves so many of the steps."""
    share = made / steps
    return share if int(steps * share) == made else (made + 0.5) / steps
