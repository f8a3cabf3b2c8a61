"""A name that was chosen, with its options: what a sampler, a schedule or a hook is asked by.

Plain values that can be written into a flag, stored, sent and hashed. Which names there are is in
`sdnb.registry`.
"""

import re
from dataclasses import dataclass
from typing import no_type_check

from sdnb.errors import InvalidField

Plain = bool | int | float | str | tuple[int | float, ...]

_LIST_GOES_ON = re.compile(r",\s+(?=[^\s=]+(?:\s|$))")  # sigmas=14.6, 5, 0


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class Choice:
    """A registered name with its options, written ``euler_ancestral eta=0.5``.

    An option is a number, a word, true or false, or a list of numbers, ``sigmas=14.6,5,1,0``.
    Functions cannot be written down: they are registered, and chosen by name.
    """

    name: str
    options: tuple[tuple[str, Plain], ...] = ()

    def __post_init__(self) -> None:
        options = tuple((key, _checked(self.name, key, value)) for key, value in self.options)
        object.__setattr__(self, "options", options)

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """Read ``name key=value …``; values are numbers, lists of them, true, false or words."""
        name, *pairs = _LIST_GOES_ON.sub(",", text).split() or [""]
        options = []
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals or not key.isidentifier() or not value:
                raise InvalidField(
                    "an option is written name=value.", given=pair, fix=f"{name} eta=0.5"
                )
            options.append((key, _plain(value)))
        return cls(name, tuple(options))

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_written(value)}" for key, value in self.options)])


def _checked(name: str, key: str, value: object) -> Plain:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and value.split() == [value] and _plain(value) == value:
        return value
    if isinstance(value, list | tuple) and value and all(map(_is_number, value)):
        return tuple(value)
    raise InvalidField(
        f"option {key} of {name} cannot be written down.",
        given=value,
        allowed="a number, a word that reads as no number, true or false, or a list of numbers",
        fix="register a function with @sdnb.schedule (or sampler, hook), and choose its name",
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(text: str) -> Plain:
    if text in ("true", "false"):
        return text == "true"
    if "," in text:
        parts = [_number_or_word(part) for part in text.removesuffix(",").split(",")]
        numbers = tuple(part for part in parts if not isinstance(part, str))
        return numbers if len(numbers) == len(parts) else text
    return _number_or_word(text)


def _number_or_word(text: str) -> int | float | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _written(value: Plain) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) + ("," if len(value) == 1 else "")
    return str(value).lower() if isinstance(value, bool) else str(value)
