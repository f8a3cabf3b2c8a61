"""The one place that runs hooks, and checks what they give back."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from sdnb.conditioning import Branches, Conditioning
from sdnb.errors import HookError
from sdnb.events import (
    DenoiseEvent,
    During,
    Hook,
    ImageEvent,
    ModelEvent,
    ModuleEvent,
    StartEvent,
    StepEvent,
    TextEvent,
)

EventT = TypeVar(
    "EventT",
    TextEvent,
    StartEvent,
    ModelEvent,
    ModuleEvent,
    DenoiseEvent,
    StepEvent,
    ImageEvent,
)


def apply_hooks(event: EventT, hooks: tuple[Hook, ...]) -> EventT:
    """Call hooks one after the other, each on the event as the last one left it.

    Raises `HookError`, naming hook and event, where a hook raises or returns something that is
    not None, the event's type, or a tensor of the shape, dtype and device it replaces; finite,
    if that one was: the network's own NaN is not the hook's.
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
    """Return torch's count of in-place changes for each tensor in an event."""
    tensors = (tensor for value in vars(event).values() for tensor in _tensors(value))
    return [tensor._version for tensor in tensors if not tensor.is_inference()]


def _tensors(value: object) -> Iterator[Tensor]:
    """Give the tensors that a field of an event holds."""
    match value:
        case Tensor():
            yield value
        case Conditioning():
            yield value.embeds
            yield from _tensors(value.pooled)
        case Mapping():
            yield from (tensor for part in value.values() for tensor in _tensors(part))
        case tuple():
            yield from (part for part in value if isinstance(part, Tensor))


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
            _check_branches(old, new, place)
        elif name == names[-1]:
            fitting = _fitting(old, new, name, place)
            # inside the network a gradient may be on its way; anywhere else a graph would be
            # dragged along by the run
            changes[name] = fitting if isinstance(event, ModuleEvent) else fitting.detach()
        else:
            raise HookError(
                f"{place} changed {name}, which nothing reads any more.",
                allowed=f"{names[-1]}{' and branches' if 'branches' in names else ''}",
                fix="change what the run goes on from",
            )
    return dataclasses.replace(event, **changes)


def _check_branches(old: Branches, new: object, place: str) -> None:
    named = new if isinstance(new, Mapping) else {}
    if "cond" not in named or not all(isinstance(cond, Conditioning) for cond in named.values()):
        raise HookError(
            f"{place} gave branches that cannot be asked.",
            given=new,
            allowed='a mapping of names to Conditioning, "cond" among them',
            fix='{**event.branches, "cond": other}',
        )
    before = old["cond"].embeds
    for name, cond in named.items():
        _fitting_text(before, cond.embeds, f"{place} gave a branch {name!r}")


def _fitting_text(old: Tensor, new: Tensor, what: str) -> None:
    if new is old:
        return
    (count, _, width), kind = old.shape, (old.dtype, old.device)
    if (len(new), new.shape[-1], (new.dtype, new.device)) != (count, width, kind):
        raise HookError(
            f"{what} that does not fit.",
            given=f"embeds {tuple(new.shape)}, {new.dtype}, on {new.device}",
            allowed=f"embeds ({count}, positions, {width}), {old.dtype}, on {old.device}",
            fix="one prompt for each image, encoded by this checkpoint",
        )
    if not _is_finite(new):
        raise HookError(f"{what} with NaN or infinity.", allowed="finite numbers")


def _fitting(old: Tensor, new: object, name: str, place: str) -> Tensor:
    """Return a hook's tensor, if it can stand in the old one's place."""
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
    if not _is_finite(new) and _is_finite(old):
        raise HookError(
            f"{place} returned a {name} with NaN or infinity.", allowed="finite numbers"
        )
    return new


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _place(hook: Hook, event: object) -> str:
    inner = hook.hook if isinstance(hook, During) else hook
    name = getattr(inner, "__name__", type(inner).__name__)
    index = getattr(event, "index", None)
    step = "" if index is None else f", step {index}"
    path = f" of {event.path}" if isinstance(event, ModuleEvent) else ""
    return f"hook {name} ({type(event).__name__}{path}{step})"
