"""The words of a magic's line: quotes, ``--flag=value``, and variables in double braces.

Which flags there are is in `sdnb.flags`; what a whole cell means, in `parse`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

from sdnb.errors import InvalidField, UnknownName
from sdnb.written import FLAG, VARIABLE

_WORD = re.compile(
    r"""(?P<name>-{0,2}[A-Za-z][\w-]*=)?                     # --sampler="euler_ancestral eta=1"
        (?: "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>[^']*)' ) (?=\s|$)
      | (?P<plain>\S+)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Word:
    """One word of a line; what stood in quotes is never a flag."""

    text: str
    is_quoted: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it names a flag: ``--steps`` or ``-o``, but not ``-3``."""
        return not self.is_quoted and FLAG.fullmatch(self.text) is not None


def split_words(line: str) -> list[Word]:
    r"""Split a line at its spaces; quotes hold a word together where they enclose all of it.

    An apostrophe inside a word is text (``a cat's house``), a backslash too (``\(cat\)``):
    only inside double quotes ``\"`` and ``\\`` stand for one character.
    """
    words: list[Word] = []
    for match in _WORD.finditer(line):
        words += _words_of(match)
    return words


def _words_of(match: re.Match[str]) -> list[Word]:
    name, double, single, plain = match.group("name", "double", "single", "plain")
    if plain is None:
        value = single if double is None else re.sub(r'\\(["\\])', r"\1", double)
        if name and name.startswith("-"):
            return [Word(name[:-1]), Word(value, is_quoted=True)]
        return [Word((name or "") + value, is_quoted=True)]  # sampler="heun,dpm_2" of --compare
    name, equals, value = plain.partition("=")
    if equals and FLAG.fullmatch(name):
        _check_closed(value)
        return [Word(name), Word(value, is_quoted=True)]
    _check_closed(plain)
    return [Word(plain)]


def _check_closed(text: str) -> None:
    if text.startswith('"'):
        raise InvalidField(
            "a quotation mark does not enclose whole words.",
            given=text,
            allowed='"a red circle", or no quotation marks at all',
            fix='close it, or write \\" for a quotation mark inside',
        )


def fill(text: str, names: Mapping[str, object]) -> str:
    """Put the notebook's variables where ``{{name}}`` stands; everything else is literal.

    Nothing is evaluated: the name is a plain identifier, its value a text or a number.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            known = (key for key, value in names.items() if _is_fillable(key, value))
            raise UnknownName.among(
                "variable with a text or a number", name, known, fix=f"define it: {name} = ..."
            )
        if not isinstance(names[name], str | Real):
            raise InvalidField(
                f"{{{{{name}}}}} can only stand for a text or a number.",
                given=type(names[name]).__name__,
                allowed="str, int, float",
                fix=f"for example {name} = str({name})",
            )
        return str(names[name])

    return VARIABLE.sub(value_of, text)


def _is_fillable(name: str, value: object) -> bool:
    return isinstance(value, str | Real) and not name.startswith("_")
