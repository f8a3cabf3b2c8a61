"""Taps: hooks on the modules of a network, there while it answers one question."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor

from sdnb.errors import ModelError, UnknownName
from sdnb.events import ModuleEvent, Tap
from sdnb.intercept import apply_hooks
from sdnb.models.components import Network

INPUT = ".input"
"""End of the path that means what goes into a module."""

Describe = Callable[..., ModuleEvent]
"""(path=, module=, inputs=, activation=) -> the event, with its place in the run."""


def check_taps(network: Network, taps: Sequence[Tap]) -> None:
    """Raise `UnknownName` for a path that the network does not have, with the nearest."""
    if not taps:
        return
    known = [path for path, _ in network.named_modules() if path]
    for tap in taps:
        path = tap.path.removesuffix(INPUT)
        if path not in known:
            error = UnknownName.among("module of this U-Net", path, known)
            error.allowed = ", ".join(_beside(path, known))
            raise error


def _beside(path: str, known: Sequence[str]) -> list[str]:
    """Return the modules at the place where a path leaves the known ones."""
    parts = path.split(".")
    place = next(
        ".".join(parts[:end]) + "."
        for end in range(len(parts) - 1, -1, -1)
        if end == 0 or ".".join(parts[:end]) in known
    ).removeprefix(".")
    return [name for name in known if name.startswith(place) and "." not in name[len(place) :]]


@contextmanager
def tapped(network: Network, taps: Sequence[Tap], describe: Describe) -> Iterator[None]:
    """Call taps whenever their modules are; the network is as before afterwards."""
    with ExitStack() as stack:
        for tap in taps:
            module = network.get_submodule(tap.path.removesuffix(INPUT))
            call = partial(_call, tap, describe, module)
            if tap.path.endswith(INPUT):
                before = partial(_before, call)
                handle = module.register_forward_pre_hook(before, with_kwargs=True)
            else:
                handle = module.register_forward_hook(partial(_after, call), with_kwargs=True)
            stack.callback(handle.remove)
        yield


# torch's modules take and give whatever they like.
Args = tuple[Any, ...]
Named = dict[str, Any]
Call = Callable[[Any, Any], Tensor]


def _before(call: Call, _module: Network, args: Args, named: Named) -> tuple[Args, Named]:
    if args:
        return (call(args[0], args[0]), *args[1:]), named
    name = next(iter(named), "")
    return args, {**named, name: call(named.get(name), named.get(name))}


def _after(call: Call, _module: Network, args: Args, named: Named, output: Any) -> Any:
    given = next(iter((*args, *named.values())), None)
    if isinstance(output, tuple):
        return (call(given, next(iter(output), None)), *output[1:])
    return call(given, output)


def _call(tap: Tap, describe: Describe, module: Network, given: Any, activation: Any) -> Tensor:
    if not isinstance(given, Tensor) or not isinstance(activation, Tensor):
        raise ModelError(
            "a tap sees one tensor going into its module and one coming out; here is none.",
            given=tap.path,
            allowed="modules whose first argument and first result are tensors",
            fix="tap the module that contains it, or one inside it",
        )
    event = describe(path=tap.path, module=module, inputs=given, activation=activation)
    return apply_hooks(event, (tap.hook,)).activation
