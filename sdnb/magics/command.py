"""What a subcommand of ``%sd`` is, and how the flags of one are read.

Which there are is in `sdnb.magics.commands`. The flags of a request are in `sdnb.flags`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.magics.session import Session
from sdnb.magics.words import Word


@dataclass(frozen=True)
class Call:
    """One use of a subcommand.

    Parameters
    ----------
    words : sequence of Word
        What follows the subcommand on its line.
    names : Mapping of str to object
        The notebook's variables.
    """

    session: Session
    words: Sequence[Word]
    names: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class CommandFlag:
    """A flag of one subcommand.

    Parameters
    ----------
    name : str
        With its dashes: ``"--steps"``.
    takes : str
        What follows it, as the help writes it; empty where nothing does.
    example : str
        A value that works.
    read : callable
        Its text -> its value; raises ValueError where it cannot be read.
    values : callable
        The texts to propose for it, each of them one part of a list.
    """

    name: str
    takes: str
    help: str
    example: str = ""
    read: Callable[[str], object] = str
    values: Callable[[], Sequence[str]] = tuple

    @property
    def usage(self) -> str:
        """How it is written: ``--steps N``."""
        return f"{self.name} {self.takes}".strip()


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Parameters
    ----------
    run : callable
        Returns what the cell shows, or None.
    takes : str
        Its arguments, as the help writes them.
    help : str
        What it does, in one line.
    flags : tuple of CommandFlag
        Flags of its own; `read_flags` reads them.
    example : str
        Words that work; empty where a flag's own example says enough.
    """

    run: Callable[[Call], object]
    takes: str
    help: str
    flags: tuple[CommandFlag, ...] = ()
    example: str = ""


def read_flags(call: Call, name: str, flags: Sequence[CommandFlag]) -> dict[str, object]:
    """Return the values of a subcommand's own flags, by name without dashes.

    Raises
    ------
    InvalidField, UnknownName
        For any other word, a value that cannot be read, a flag given twice.
    """
    known = {flag.name: flag for flag in flags}
    found: dict[str, object] = {}
    words = iter(call.words)
    for word in words:
        if not word.is_flag:
            raise InvalidField(
                f"%sd {name} takes flags only.",
                given=word.text,
                allowed=", ".join(flag.usage for flag in flags),
                fix="write lists with commas and no spaces; a prompt that starts like a subcommand "
                'stands in quotes: %sd "..."',
            )
        if word.text not in known:
            raise UnknownName.among(f"flag of %sd {name}", word.text, known, fix=f"%sd help {name}")
        flag = known[word.text]
        key = flag.name.removeprefix("--")
        if key in found:
            raise InvalidField(
                f"{flag.name} is given twice.", allowed="one value", fix="leave one out"
            )
        found[key] = _read(flag, next(words, None)) if flag.takes else True
    return found


def _read(flag: CommandFlag, word: Word | None) -> object:
    example = f"{flag.name} {flag.example}"
    if word is None or word.is_flag:
        raise InvalidField(f"{flag.name} needs a value.", allowed=flag.help, fix=example)
    try:
        return flag.read(word.text)
    except SdnbError:
        raise
    except ValueError as error:
        raise InvalidField(
            f"{flag.name} takes another value.", given=word.text, allowed=flag.help, fix=example
        ) from error


def misused(name: str, call: Call, allowed: str, example: str) -> InvalidField:
    """Return the error of words that do not make a use of a subcommand."""
    return InvalidField(
        f"{name!r} is a subcommand; this is not how it is written.",
        given=" ".join(word.text for word in call.words),
        allowed=allowed,
        fix=f'for example {example}; a prompt that starts so stands in quotes: %sd "..."',
    )


def read_names(text: str) -> tuple[str, ...]:
    """Read names separated by commas; a comma before a number belongs to a name's option."""
    return tuple(part.strip() for part in re.split(r",\s*(?=[A-Za-z_])", text) if part.strip())


def read_counts(text: str) -> tuple[int, ...]:
    """Read whole numbers separated by commas."""
    return tuple(int(part) for part in text.split(","))
