"""How a request is sampled, as nodes of ComfyUI.

KSampler where names say it all; KSamplerAdvanced for the last steps of a schedule; SamplerCustom,
with nodes for the sampler and the levels, where either has options or another name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sdnb.choice import Choice
from sdnb.records.comfyui_nodes import (
    SAMPLER_NODES,
    SAMPLERS_THERE,
    SCHEDULE_NODES,
    SCHEDULES_THERE,
    ChoiceNode,
)
from sdnb.records.draft import OWN_NOISE
from sdnb.records.new_workflow import Link, NewWorkflow, output
from sdnb.registry import SAMPLERS, SCHEDULES, Registry
from sdnb.request import GenerationRequest

MOST_CFG = 100.0
"""What KSampler takes; it begins at 0."""

MOST_STEPS = 10_000
"""What the nodes of schedules take."""


_Table = tuple[Registry, frozenset[str], Mapping[str, ChoiceNode], Choice]
_TABLES: Mapping[str, _Table] = {
    "sampler": (SAMPLERS, SAMPLERS_THERE, SAMPLER_NODES, Choice("euler")),
    "schedule": (SCHEDULES, SCHEDULES_THERE, SCHEDULE_NODES, Choice("normal")),
}
"""What sdnb knows, what ComfyUI has by name, what it has as nodes, and what stands in for it."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass: of ``steps`` over a share of the noise range, only the last ``made``."""

    steps: int
    made: int
    denoise: float = 1.0


class SamplingExport:
    """Writes the samplers of one request: both passes have the same."""

    def __init__(self, workflow: NewWorkflow, request: GenerationRequest) -> None:
        self._workflow = workflow
        self._sampler = self._known("sampler", request.sampler)
        self._schedule = self._known("schedule", request.schedule)
        self._seed, self._cfg = request.seed or 0, self._in_range(request.cfg_scale)
        self._say(request)
        self._chosen: Link | None = None  # the sampler's node, where it has one

    def add(self, each: Pass, **inputs: Link) -> Link:
        """Add a pass over ``latent_image``, told ``model``, ``positive``, ``negative``."""
        if self._is_custom:
            return self._custom(each, **inputs)
        names = {"sampler_name": self._sampler.name, "scheduler": self._schedule.name}
        numbers = {"steps": each.steps, "cfg": self._cfg}
        if each.made == each.steps:
            told = {"seed": self._seed, **numbers, **names, "denoise": each.denoise}
            return self._workflow.add("KSampler", **told, **inputs)
        span = {"start_at_step": each.steps - each.made, "end_at_step": each.steps}
        noise = {"add_noise": "enable", "noise_seed": self._seed}
        left = {"return_with_leftover_noise": "disable"}
        told = {**noise, **numbers, **names, **span, **left}
        return self._workflow.add("KSamplerAdvanced", **told, **inputs)

    @property
    def _is_custom(self) -> bool:
        has_options = bool(self._sampler.options or self._schedule.options)
        return has_options or self._schedule.name not in SCHEDULES_THERE

    def _custom(self, each: Pass, **inputs: Link) -> Link:
        if self._chosen is None:
            self._chosen = self._sampler_node()
        noise = {"add_noise": True, "noise_seed": self._seed, "cfg": self._cfg}
        levels = self._levels(each, inputs["model"])
        return self._workflow.add(
            "SamplerCustom", **noise, sampler=self._chosen, sigmas=levels, **inputs
        )

    def _sampler_node(self) -> Link:
        if not self._sampler.options:
            return self._workflow.add("KSamplerSelect", sampler_name=self._sampler.name)
        node = SAMPLER_NODES[self._sampler.name]
        return self._workflow.add(node.kind, **_inputs(node, self._sampler, SAMPLERS))

    def _levels(self, each: Pass, model: Link) -> Link:
        """Add what gives a pass its levels; of some only the last are taken."""
        whole, kept = each.steps, each.made
        name = self._schedule.name
        if name in SCHEDULES_THERE and not self._schedule.options:
            told = {"scheduler": name, "steps": whole, "denoise": each.denoise, "model": model}
            levels = self._workflow.add("BasicScheduler", **told)
        else:
            whole = self._whole(each)
            node = SCHEDULE_NODES[name]
            needs: dict[str, object] = {} if name == "custom" else {"steps": whole}
            needs |= {"model": model} if name == "beta" else {}
            told = _inputs(node, self._schedule, SCHEDULES) | needs
            levels = self._workflow.add(node.kind, **told)
        if name == "custom":
            if kept < each.steps:
                why = "a list of levels is taken whole there"
                self._workflow.leave("strength", f"{kept} of {each.steps} steps", why)
            return levels
        if kept == whole:
            return levels
        return output(self._workflow.add("SplitSigmas", sigmas=levels, step=whole - kept), 1)

    def _whole(self, each: Pass) -> int:
        """Return how many steps the whole noise range has."""
        if each.steps <= each.denoise * MOST_STEPS:
            return int(each.steps / each.denoise)
        why = f"a schedule has up to {MOST_STEPS} steps there"
        self._workflow.leave("denoise", f"{each.denoise:g}", why)
        return MOST_STEPS

    def _known(self, what: str, choice: Choice) -> Choice:
        """Return a choice as it can be said there; what cannot is told."""
        registry, there, nodes, otherwise = _TABLES[what]
        name = choice.name.removesuffix("_gpu")
        if name not in there and name not in nodes:
            why = f"ComfyUI has none of this name; {otherwise} in its place"
            self._workflow.take(what, choice, otherwise, why)
            return otherwise
        known = registry.options(name)
        options = tuple((key, value) for key, value in choice.options if known.get(key) != value)
        sayable = nodes[name].options if name in nodes else {}
        if lost := [key for key, _ in options if key not in sayable]:
            self._workflow.leave(what, choice, f"no node takes {', '.join(lost)}")
        return Choice(name, tuple(pair for pair in options if pair[0] in sayable))

    def _in_range(self, cfg_scale: float) -> float:
        if 0 <= cfg_scale <= MOST_CFG:
            return cfg_scale
        nearest = min(MOST_CFG, max(0.0, cfg_scale))
        why = f"KSampler takes 0 … {MOST_CFG:g}"
        self._workflow.take("cfg_scale", f"{cfg_scale:g}", f"{nearest:g}", why)
        return nearest

    def _say(self, request: GenerationRequest) -> None:
        workflow, sampler = self._workflow, SAMPLERS[self._sampler.name]
        workflow.take("sampler", self._sampler, why=OWN_NOISE if sampler.stochastic else "")
        why = ""
        if self._is_custom and sampler.discard_penultimate:
            why = "KSampler leaves out its last level but one; with options nobody does"
        workflow.take("schedule", self._schedule, why=why)
        if request.seed is None:
            workflow.take("seed", "drawn", "0", "a workflow holds a number")


def _inputs(node: ChoiceNode, choice: Choice, registry: Registry) -> dict[str, object]:
    values = {**registry.options(choice.name), **dict(choice.options)}
    named = {theirs: node.write(values[ours]) for ours, theirs in node.options.items()}
    return {**named, **node.told}
