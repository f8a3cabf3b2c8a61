"""A line of flags -> the options they set.

Which flags there are is in `flags`; what becomes of the options, in `parse`; the way back, in
`sdnb.written`.
"""

from collections import deque
from collections.abc import Iterable

from sdnb.errors import InvalidField
from sdnb.flags import Flag, example_of, find_flag
from sdnb.magics.words import Word

Options = dict[str, object]
"""Field of the request, ``mask``, ``outpaint``, ``after``, ``name`` or ``axes`` -> value."""


def read_options(words: Iterable[Word]) -> tuple[Options, list[Word]]:
    """Return what the flags set, and the words that belong to no flag.

    These stand together: ``--negative blurry, dark`` without quotes would else end in the prompt.
    """
    options: Options = {}
    rest: list[list[Word]] = [[]]
    remaining = deque(words)
    while remaining:
        word = remaining.popleft()
        if not word.is_flag:
            rest[-1].append(word)
            continue
        flag = find_flag(word.text)
        if not remaining or remaining[0].is_flag:
            raise InvalidField(
                f"{flag.name} needs a value.", allowed=flag.help, fix=example_of(flag)
            )
        put(options, flag, remaining.popleft().text)
        while remaining and flag.more(remaining[0].text):
            put(options, flag, remaining.popleft().text)
        rest.append([])
    return options, _only_one([part for part in rest if part])


def _only_one(parts: list[list[Word]]) -> list[Word]:
    if len(parts) > 1:
        raise InvalidField(
            "a flag takes one word, and the prompt stands in one place.",
            given=" ".join(word.text for word in parts[-1]),
            allowed='%sd "a red circle" --negative "blurry, dark"',
            fix="put values of several words in double quotes",
        )
    return parts[0] if parts else []


def put(options: Options, flag: Flag, text: str) -> None:
    """Read a flag's text into the options; an option given twice is an error."""
    for option, value in zip(flag.sets, flag.read(text), strict=True):
        if flag.many:
            value = (*_gathered(options, option), *_as_tuple(value))
        elif option in options:
            raise InvalidField(
                f"{option} is given twice.", given=text, allowed="one value", fix="leave one out"
            )
        options[option] = value


def _gathered(options: Options, option: str) -> tuple[object, ...]:
    return _as_tuple(options.get(option, ()))


def _as_tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)
