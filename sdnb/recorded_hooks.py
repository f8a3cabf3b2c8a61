"""Between hooks, which are functions, and what a request records of them."""

from collections.abc import Iterator
from dataclasses import replace

from sdnb.choice import Choice
from sdnb.errors import UnknownName
from sdnb.events import During, Hook, Hooks
from sdnb.hook_use import HookUse
from sdnb.registry import HOOKS


def hooks_of(uses: tuple[HookUse, ...]) -> Hooks:
    """Return the registered hooks of a record; raises `UnknownName` for one that was given."""
    hooks = Hooks()
    for use in uses:
        if use.given:
            raise UnknownName(
                "a recorded hook was a function given to its run: only its name is left.",
                given=str(use),
                allowed=", ".join(HOOKS.names()),
                fix=f"give it again: hooks=sdnb.Hooks.at({use.point!r}, {use.hook.name})",
            )
        hook: Hook = HOOKS.bind(use.hook.name, dict(use.hook.options))
        hooks += Hooks.at(use.point, During(hook, use.first, use.last))
    return hooks


def uses_of(hooks: Hooks) -> Iterator[HookUse]:
    """Name the callables that were given, for the record: others may not have them."""
    for point, hook in hooks.at_points():
        during = hook if isinstance(hook, During) else During(hook)
        name = getattr(during.hook, "__name__", type(during.hook).__name__)
        is_registered = name in HOOKS.names() and HOOKS[name] is during.hook
        yield HookUse(point, Choice(name), during.first, during.last, given=not is_registered)


def is_among(use: HookUse, given: tuple[HookUse, ...]) -> bool:
    """Whether a recorded hook was given again; older files do not say which were given."""
    return any(replace(use, given=each.given) == each for each in given)
