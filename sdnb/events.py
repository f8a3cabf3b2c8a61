"""What happens in a run, and who may change it: events, hooks, and the one place that runs hooks.

A hook is any callable that takes one event. It returns None (only looked), a tensor that
replaces the event's **last field**, or ``dataclasses.replace(event, ...)``.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, TypeVar, no_type_check

import torch
from torch import Tensor

from sdnb.conditioning import Branches, Conditioning, Token
from sdnb.errors import HookError, InvalidField
from sdnb.registry import HOOKS
from sdnb.request import POINTS
from sdnb.shapes import Embeds, Images, Latents


@dataclass(frozen=True, eq=False)
class TextEvent:
    """A prompt became vectors; fires once for each branch. Replace: ``embeds``."""

    prompt: str
    tokens: tuple[tuple[Token, ...], ...]
    embeds: Embeds


@dataclass(frozen=True, eq=False)
class StartEvent:
    """The run is about to start at level ``sigma_max``. Replace: ``x``."""

    sigma_max: float
    x: Latents


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelEvent:
    """The network is about to be asked. Replace: ``x`` for this question only.

    ``index`` is the step (of ``total``), ``evaluation`` counts questions from 0. ``branches``
    may be replaced to ask other things. ``denoise(x)`` asks the sampler's own question (as it
    was before any hook) at another point with gradients on, and counts as an evaluation.
    """

    index: int
    total: int | None
    evaluation: int
    sigma: float
    t: float
    branches: Branches
    denoise: Callable[[Tensor], Tensor] = field(repr=False)
    x: Latents


@dataclass(frozen=True, eq=False, kw_only=True)
class DenoiseEvent:
    """The network answered and guidance was applied. Replace: ``denoised``.

    ``eps`` holds each branch's own answer by name (``eps["uncond"]``, ``eps["cond"]``);
    ``denoise`` is as in `ModelEvent`.
    """

    index: int
    total: int | None
    evaluation: int
    sigma: float
    t: float
    cfg_scale: float
    x: Latents
    eps: Mapping[str, Latents]
    denoise: Callable[[Tensor], Tensor] = field(repr=False)
    denoised: Latents

    @property
    def v(self) -> Latents:
        """The guided velocity (Salimans & Ho 2022, arXiv:2202.00512)."""
        return velocity((self.x - self.denoised) / self.sigma, self.denoised, self.sigma)

    @property
    def x0(self) -> Latents:
        """Another name of ``denoised``."""
        return self.denoised


@dataclass(frozen=True, eq=False, kw_only=True)
class StepEvent:
    """A step was made. Replace: ``x_next``, where the sampler goes on from."""

    index: int
    total: int | None
    sigma: float
    sigma_next: float
    x: Latents
    denoised: Latents
    x_next: Latents

    @property
    def eps(self) -> Latents:
        """The noise estimate of this step, ``(x - denoised) / sigma``."""
        return (self.x - self.denoised) / self.sigma

    @property
    def v(self) -> Latents:
        """The velocity of this step (Salimans & Ho 2022, arXiv:2202.00512)."""
        return velocity(self.eps, self.denoised, self.sigma)

    @property
    def x0(self) -> Latents:
        """Another name of ``denoised``."""
        return self.denoised


@dataclass(frozen=True, eq=False)
class ImageEvent:
    """The latents became pictures. Replace: ``images``, pixels in 0 … 1."""

    latents: Latents
    images: Images


Event = TextEvent | StartEvent | ModelEvent | DenoiseEvent | StepEvent | ImageEvent
Hook = Callable[[Any], Any]  # one event in; None, a tensor or a changed event out


@dataclass(frozen=True)
class During:
    """A hook for the steps ``first`` to ``last`` only (counted from 0; None: to the end)."""

    hook: Hook
    first: int = 0
    last: int | None = None

    def __call__(self, event: "Event") -> object:
        """Call the hook if the event's step is among these, or the event has no step."""
        index = getattr(event, "index", self.first)
        if index < self.first or (self.last is not None and index > self.last):
            return None
        return self.hook(event)


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class Hooks:
    """The hooks of a run by point, called in their order; ``hooks_a + hooks_b`` joins them."""

    on_text: tuple[Hook, ...] = ()
    on_start: tuple[Hook, ...] = ()
    on_model: tuple[Hook, ...] = ()
    on_denoise: tuple[Hook, ...] = ()
    on_step: tuple[Hook, ...] = ()
    on_image: tuple[Hook, ...] = ()

    def __post_init__(self) -> None:
        for name, hooks in self._by_point():
            if not isinstance(hooks, tuple) or not all(callable(hook) for hook in hooks):
                raise InvalidField(
                    f"on_{name} takes a tuple of callables.",
                    given=hooks,
                    fix=f"Hooks(on_{name}=(my_function,))",
                )

    def __add__(self, other: "Hooks") -> "Hooks":
        """Join: this one's hooks first."""
        mine, theirs = dict(self._by_point()), dict(other._by_point())
        return Hooks(**{f"on_{name}": mine[name] + theirs[name] for name in POINTS})

    def _by_point(self) -> Iterator[tuple[str, tuple[Hook, ...]]]:
        return ((name, getattr(self, f"on_{name}")) for name in POINTS)


def hook(name: str) -> Callable[[Hook], Hook]:
    """Register a hook under ``name``, so that requests can carry it: ``--on step:name``."""
    return HOOKS.register(name)


EventT = TypeVar("EventT", TextEvent, StartEvent, ModelEvent, DenoiseEvent, StepEvent, ImageEvent)


def velocity(eps: Latents, x0: Latents, sigma: float) -> Latents:
    """Return ``v = (eps - sigma * x0) / sqrt(1 + sigma**2)`` (Salimans & Ho 2022, section 4)."""
    return (eps - sigma * x0) / sqrt(1 + sigma**2)


def apply_hooks(event: EventT, hooks: tuple[Hook, ...]) -> EventT:
    """Call hooks one after the other, each on the event as the last one left it.

    Raises `HookError`, naming hook and event, where a hook raises or returns something that is
    not None, the event's type, or a finite tensor of the shape, dtype and device it replaces.
    """
    for hook in hooks:
        reply = call_hook(event, hook)
        if reply is not None:
            event = _changed(event, reply, _place(hook, event))
    return event


def call_hook(event: object, hook: Hook) -> object:
    """Call one hook and return its reply; the only place where a hook runs.

    Raises `HookError`, naming hook and event, where it raises or changes a tensor of the event.
    """
    before = _versions(event)
    try:
        reply: object = hook(event)
    except Exception as error:
        raise HookError(
            f"{_place(hook, event)} raised {type(error).__name__}: {error}",
            fix="mend the function; the pipeline is untouched",
        ) from error
    if _versions(event) != before:
        raise HookError(
            f"{_place(hook, event)} changed a tensor of its event in place.",
            allowed="a new tensor, given back",
            fix="write x * 2 instead of x.mul_(2), x.clone() before x[...] = ...",
        )
    return reply


def _versions(event: object) -> list[int]:
    """Return torch's count of in-place changes for each tensor of an event."""
    fields = (value if isinstance(value, tuple) else (value,) for value in vars(event).values())
    return [part._version for values in fields for part in values if isinstance(part, Tensor)]


def _changed(event: EventT, reply: object, place: str) -> EventT:
    names = [entry.name for entry in dataclasses.fields(event)]
    changes: dict[str, Any] = {names[-1]: reply}
    if isinstance(reply, type(event)):
        changes = {
            name: getattr(reply, name)
            for name in names
            if getattr(reply, name) is not getattr(event, name)
        }
    for name, new in changes.items():
        old = getattr(event, name)
        if name == "branches":
            _check_branches(new, place)
        elif name == names[-1]:
            changes[name] = _fitting(old, new, name, place)
        else:
            raise HookError(
                f"{place} changed {name}, which nothing reads any more.",
                allowed=f"{names[-1]}{' and branches' if 'branches' in names else ''}",
                fix="change what the run goes on from",
            )
    return dataclasses.replace(event, **changes)


def _check_branches(new: object, place: str) -> None:
    named = new if isinstance(new, Mapping) else {}
    if "cond" not in named or not all(isinstance(cond, Conditioning) for cond in named.values()):
        raise HookError(
            f"{place} gave branches that cannot be asked.",
            given=new,
            allowed='a mapping of names to Conditioning, "cond" among them',
            fix='{**event.branches, "cond": other}',
        )


def _fitting(old: Tensor, new: object, name: str, place: str) -> Tensor:
    """Return a hook's tensor, cut from any graph: the run would drag it along."""
    allowed = f"a tensor {tuple(old.shape)}, {old.dtype}, on {old.device}; or None"
    if not isinstance(new, Tensor):
        raise HookError(
            f"{place} returned what cannot be {name}.", given=type(new).__name__, allowed=allowed
        )
    if (new.shape, new.dtype, new.device) != (old.shape, old.dtype, old.device):
        given = f"a tensor {tuple(new.shape)}, {new.dtype}, on {new.device}"
        raise HookError(
            f"{place} returned a {name} that does not fit.", given=given, allowed=allowed
        )
    if not bool(torch.isfinite(new).all()):
        raise HookError(
            f"{place} returned a {name} with NaN or infinity.", allowed="finite numbers"
        )
    return new.detach()


def _place(hook: Hook, event: object) -> str:
    inner = hook.hook if isinstance(hook, During) else hook
    name = getattr(inner, "__name__", type(inner).__name__)
    index = getattr(event, "index", None)
    step = "" if index is None else f", step {index}"
    return f"hook {name} ({type(event).__name__}{step})"
