"""A diffusers pipeline watched at work: what its network answers, what its scheduler makes of it.

It goes on as if alone: the network gets a forward hook and the scheduler's ``step`` and
``set_timesteps`` are listened to, on these objects only and until the block ends. What is seen
is in `observation.py`; to change a run, load the model with `sdnb.load`.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from inspect import signature
from math import inf
from typing import Any

import torch
from torch import Tensor

from sdnb.errors import HookError, InvalidField
from sdnb.events import Hook
from sdnb.intercept import call_hook
from sdnb.models.method_hooks import heard
from sdnb.models.observation import Foreign, Observation, ObservedStep
from sdnb.models.scheduler_levels import level, levels
from sdnb.trace import BUDGET

# diffusers is typed in part only: pipelines, schedulers, their methods and outputs are Any here.
Pipeline = Any
Scheduler = Any
Method = Any

NETWORKS = ("unet", "transformer", "transformer_2", "prior", "decoder")
"""What the denoiser of a pipeline is called; a second transformer takes over at low noise."""

STEP = {"model_output", "timestep", "sample"}
"""What a scheduler's step takes, by diffusers' names."""


@contextmanager
def observe(
    pipe: Pipeline, on_step: Hook | None = None, *, budget: float = BUDGET
) -> Iterator[Observation]:
    """Watch a diffusers pipeline inside a ``with`` block, without changing what it does.

        with sdnb.observe(pipe) as seen:
            image = pipe("a cat", num_inference_steps=4).images[0]
        seen.steps[0].x, seen.steps[0].prediction, seen.steps[0].x_next

    The scheduler watched is ``pipe.scheduler``, also when another one takes its place. Not seen
    are copies of it, which some pipelines step (for sound, say), and networks put in later.

    Parameters
    ----------
    pipe : diffusers pipeline
        With a scheduler, and a denoiser under one of the names in `NETWORKS`: Stable Diffusion,
        SDXL, SD3, Flux and others.
    on_step : callable, optional
        Called with each `ObservedStep` as it is made; it can only look.
    budget : float
        MB that the kept steps may hold; ``on_step`` sees those beyond it too.

    Raises
    ------
    InvalidField
        Where there is nothing to watch, or what there is cannot be.
    HookError
        From inside the pipeline's call, where ``on_step`` raised, or tried to change something.
    """
    networks = _networks(pipe)
    seen = Observation(type(pipe).__name__, bytes_of(budget))
    with ExitStack() as restoring:
        watch = _Watch(pipe, seen, on_step, restoring)
        watch.follow_scheduler()
        for network in networks:
            restoring.callback(network.register_forward_hook(watch.answered).remove)
        yield seen


@dataclass(eq=False)
class _Watch:
    """A pipeline's answers and steps as they come in."""

    pipe: Pipeline
    seen: Observation
    on_step: Hook | None
    restoring: ExitStack
    schedulers: list[Scheduler] = field(default_factory=list)
    answers: list[Foreign] = field(default_factory=list)
    index: int = 0

    def follow_scheduler(self) -> None:
        """Listen to the pipeline's scheduler, unless it is known."""
        scheduler = self.pipe.scheduler
        if any(scheduler is known for known in self.schedulers):
            return
        _check_scheduler(scheduler)
        self.schedulers.append(scheduler)
        self._restart()
        for name, around in (("set_timesteps", self.set_timesteps), ("step", self.step)):
            self.restoring.enter_context(heard(scheduler, name, around))

    # torch passes module, inputs and output; what a forward hook returns would replace the output
    def answered(self, _network: Any, _inputs: Any, output: Any) -> None:
        """Hear an answer of the network."""
        self.follow_scheduler()
        self.answers += [_copied(part) for part in _tensors(output)]
        while sum(answer.nbytes for answer in self.answers) > BUDGET * 2**20:
            del self.answers[0]  # no step follows: the pipeline steps a copy of its scheduler

    def set_timesteps(
        self, _scheduler: Scheduler, call: Method, /, *args: Any, **named: Any
    ) -> Any:
        """Hear that a run begins; what an earlier one left unfinished is dropped."""
        self._restart()
        return call(*args, **named)

    def step(self, scheduler: Scheduler, call: Method, /, *args: Any, **named: Any) -> Any:
        """Hear a step: copy what goes in before it, what comes out after it."""
        given = signature(call).bind(*args, **named).arguments
        x, guided = _copied(given["sample"]), _copied(given["model_output"])
        before = levels(scheduler)
        output = call(*args, **named)
        taken = getattr(scheduler, "step_index", None)
        step = ObservedStep(
            index=self.index,
            t=_number(given["timestep"]),
            sigma=None if taken is None else level(before, taken - 1),
            sigma_next=None if taken is None else level(levels(scheduler), taken),
            x=x.cpu(),
            prediction=tuple(answer.cpu() for answer in self.answers),
            guided=guided.cpu(),
            x_next=_copied(output[0]).cpu(),
        )
        self.index, self.answers = self.index + 1, []
        self._show(step)
        return output

    def _show(self, step: ObservedStep) -> None:
        self.seen.add(step)
        reply = None if self.on_step is None else call_hook(step, self.on_step)
        if isinstance(reply, Tensor | ObservedStep):
            raise HookError(
                "on_step returned what would replace something; an observer only looks.",
                given=type(reply).__name__,
                allowed="None",
                fix="change runs with sdnb.load(...).run(..., hooks=Hooks(on_step=(f,)))",
            )

    def _restart(self) -> None:
        self.index, self.answers = 0, []


def bytes_of(budget: object) -> int:
    """Return MB as bytes; raises `InvalidField` for what is no finite number of them."""
    if not (isinstance(budget, int | float) and 0 <= budget < inf):
        raise InvalidField(
            "budget is a number of MB.",
            given=budget,
            allowed="0 or more",
            fix=f"observe(pipe, budget={BUDGET:g})",
        )
    return round(budget * 2**20)


def _networks(pipe: Pipeline) -> list[torch.nn.Module]:
    found = [getattr(pipe, name, None) for name in NETWORKS]
    networks = [network for network in found if isinstance(network, torch.nn.Module)]
    if not networks or getattr(pipe, "scheduler", None) is None:
        raise InvalidField(
            "there is nothing here to observe.",
            given=type(pipe).__name__,
            allowed=f"a diffusers pipeline with a scheduler and one of {', '.join(NETWORKS)}",
            fix="observe a pipeline of diffusers; sdnb's own give their events by themselves: "
            "for event in pipe.start(...)",
        )
    for network in networks:
        if getattr(network, "_compiled_call_impl", None) is not None:
            raise InvalidField(
                "a network that was compiled in place would be compiled anew to be listened to.",
                given=f"{type(network).__name__} after .compile()",
                allowed="a network, or what torch.compile returns",
                fix="pipe.unet = torch.compile(pipe.unet) in place of pipe.unet.compile()",
            )
    return networks


def _check_scheduler(scheduler: Scheduler) -> None:
    step = getattr(scheduler, "step", None)
    is_known = step is not None and set(signature(step).parameters) >= STEP
    if not (is_known and hasattr(scheduler, "set_timesteps")):
        raise InvalidField(
            "this scheduler's step is not one that can be followed.",
            given=type(scheduler).__name__,
            allowed=f"set_timesteps, and a step that takes {', '.join(sorted(STEP))}",
            fix="use another scheduler of diffusers",
        )


def _number(value: Any) -> float | None:
    values = torch.as_tensor(value).unique()
    return float(values) if values.numel() == 1 else None


def _tensors(output: Any) -> list[Foreign]:
    """Return the first output of a network: a tensor, or a list with one for each image."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):  # so are the outputs of diffusers
        return _tensors(next(iter(output.values())))
    if isinstance(output, tuple):
        return _tensors(output[0])
    if isinstance(output, list):
        return [tensor for part in output for tensor in _tensors(part)]
    raise InvalidField(
        "the network's answer is not understood.",
        given=type(output).__name__,
        allowed="a tensor, a tuple that begins with one, or an output of diffusers",
        fix="observe a pipeline of diffusers",
    )


def _copied(tensor: Foreign) -> Foreign:
    """Copy on the device; an ordinary tensor, also where the pipeline is in inference mode."""
    with torch.inference_mode(False):
        return tensor.detach().clone()
