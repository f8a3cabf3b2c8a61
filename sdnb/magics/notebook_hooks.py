"""Functions of the notebook as hooks: ``--on step:my_function@3-7``.

A name that is registered (`sdnb.hook`) stays in the request, so that it is saved with the
picture; any other is looked up among the notebook's variables.
"""

from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from typing import TYPE_CHECKING

from sdnb.errors import InvalidField, UnknownName
from sdnb.hook_use import HookUse
from sdnb.registry import HOOKS
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import sdnb.events

Function = Callable[..., object]


def split_hooks(
    request: GenerationRequest, names: Mapping[str, object]
) -> tuple[GenerationRequest, list[tuple[HookUse, Function]]]:
    """Return the request with its registered hooks, and the notebook's functions beside it.

    A function that was given to a recorded run is looked up again, whatever is registered.

    Raises
    ------
    UnknownName
        For a hook that is neither; lists the functions at hand.
    """
    known = HOOKS.names()
    registered = tuple(u for u in request.hooks if u.hook.name in known and not u.given)
    others = [use for use in request.hooks if use not in registered]
    return request.changed(hooks=registered), [(use, _function(use, names)) for use in others]


def join_hooks(functions: list[tuple[HookUse, Function]]) -> "sdnb.events.Hooks":
    """Return the hooks a pipeline takes."""
    from sdnb.events import During, Hooks

    hooks = Hooks()
    for use, function in functions:
        is_limited = use.first > 0 or use.last is not None
        hook = During(function, use.first, use.last) if is_limited else function
        hooks += Hooks.at(use.point, hook)
    return hooks


def functions_in(names: Mapping[str, object]) -> list[str]:
    """Return the names that could be hooks: callables, no classes, nothing private."""
    return [
        name
        for name, value in names.items()
        if callable(value) and not isinstance(value, type) and not name.startswith("_")
    ]


def _function(use: HookUse, names: Mapping[str, object]) -> Function:
    name = use.hook.name
    if name not in names:
        known = {*HOOKS.names(), *functions_in(names)}
        raise UnknownName.among("hook or function", name, known, fix=f"def {name}(event): ...")
    function = names[name]
    if not callable(function):
        raise InvalidField(
            "a hook is a function of one event.",
            given=f"{name}, a {type(function).__name__}",
            allowed=", ".join(functions_in(names)),
            fix=f"def {name}(event): ...",
        )
    if not use.hook.options:
        return function
    return update_wrapper(partial(function, **dict(use.hook.options)), function)
