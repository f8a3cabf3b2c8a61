"""What a comparison varies, as it is written: ``sampler=ddim,heun steps=5,10``.

The left side is a flag without its dashes, the right side values as that flag reads them.
"""

import re
from collections.abc import Iterable

from sdnb.errors import InvalidField, UnknownName
from sdnb.flags import AXES, Flag

Axes = tuple[tuple[str, tuple[object, ...]], ...]
"""Fields of the request, and the values that each takes."""

TEXTS = ("--prompt", "--negative")
"""Flags whose values may hold commas: they are separated by ``|``."""


def read_axes(texts: Iterable[str]) -> Axes:
    """Read axes; raises `InvalidField` or `UnknownName` for what is none."""
    axes: dict[str, tuple[object, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        flag = _flag(name, equals, text)
        (field,) = flag.sets
        if field in axes:
            raise InvalidField(
                f"{name} is compared twice.",
                given=text,
                allowed="one list for each flag",
                fix=f"{name}=A,B,C",
            )
        axes[field] = tuple(_read(flag, value) for value in split_values(flag, values))
    return tuple(axes.items())


def split_values(flag: Flag, text: str) -> list[str]:
    """Split a list of values; a comma before a number belongs to an option of a name."""
    if flag.name in TEXTS:
        between = r"\|"
    elif flag.values():  # names, which may have options
        between = r",\s*(?=[A-Za-z_])"
    else:
        between = ","
    return [value.strip() for value in re.split(between, text)]


def completed_axes(text: str) -> list[str]:
    """Return what an axis that is being written could become: ``sampler=ddim,he``.

    A value goes on after the last comma.
    """
    name, equals, _ = text.partition("=")
    if not equals:
        return [f"{axis}=" for axis in AXES]
    begun = text[: max(text.rfind(","), text.rfind("=")) + 1]
    return [begun + value for value in AXES[name].values()] if name in AXES else []


def _flag(name: str, equals: str, text: str) -> Flag:
    if not equals:
        raise InvalidField(
            "what is compared is written FLAG=A,B.",
            given=text,
            allowed=", ".join(AXES),
            fix="for example sampler=ddim,heun steps=5,10; no spaces, or quotes around all of it",
        )
    UnknownName.check("flag to compare", name, AXES)
    return AXES[name]


def _read(flag: Flag, text: str) -> object:
    (value,) = flag.read(text)
    return value if not flag.many or isinstance(value, tuple) else (value,)
