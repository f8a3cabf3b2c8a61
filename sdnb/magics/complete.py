"""Tab on a magic's line: subcommands, flags, the values of flags, and the options of a choice.

Works on ``%sd ...``, ``%%sd ...`` and ``x = %sd ...``; a cell's body is the user's own text.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from sdnb.comparison.axes import completed_axes
from sdnb.flags import FLAGS
from sdnb.magics.command import CommandFlag
from sdnb.magics.commands import COMMANDS
from sdnb.magics.notebook_hooks import functions_in
from sdnb.magics.panel import PANELS
from sdnb.magics.setting import OWN
from sdnb.registry import HOOKS, SAMPLERS, SCHEDULES

_LINE = re.compile(r"\s*(?:[\w.,\s\[\]]+=\s*)?%sd\s(?P<rest>.*)")
_CELL = re.compile(r"%%sd\s(?P<rest>.*)")
_CHOICE = re.compile(r"""(?:.*\s)?(?P<flag>--\w+)[\s=]"(?:(?P<name>\w+)\s[^"]*)?""")
_JOINED = re.compile(r"(--?[A-Za-z][\w-]*)=(.*)")
_CHOOSES = {"--sampler": SAMPLERS, "--schedule": SCHEDULES}


def complete(context: CompletionContext, names: Mapping[str, object]) -> SimpleMatcherResult:
    """Return IPython's form of `proposals`, and keep Python's own completion out of it."""
    rest = rest_of_magic(context.text_until_cursor, is_first_line=context.cursor_line == 0)
    if rest is None:
        return SimpleMatcherResult(completions=[])
    found = proposals(rest, names)
    # IPython's token may be the end of our word only: "f" of "step:f"
    before = len(_last_word(rest)) - len(context.token)
    completions = [SimpleCompletion(text[before:], type="sdnb") for text in found]
    return SimpleMatcherResult(completions=completions, suppress=bool(found), ordered=True)


def rest_of_magic(text: str, *, is_first_line: bool) -> str | None:
    """Return what follows the magic's name up to the cursor; None on any other line."""
    match = _LINE.fullmatch(text) or (_CELL.fullmatch(text) if is_first_line else None)
    return None if match is None else match["rest"]


def proposals(rest: str, names: Mapping[str, object]) -> list[str]:
    """Return the words that could stand where the cursor is.

    Parameters
    ----------
    rest : str
        The line from behind the magic's name up to the cursor.
    names : Mapping of str to object
        The notebook's variables: its functions can be hooks.
    """
    word = _last_word(rest)
    begun = rest[: len(rest) - len(word)]
    if joined := _JOINED.fullmatch(word):  # read as --flag value; no value is a flag
        flag, value = joined.groups()
        values = proposals(f"{begun}{flag} {value}", names)
        return [f"{flag}={text}" for text in values if not text.startswith("-")]
    if choice := _CHOICE.fullmatch(begun + word[:1] if word.startswith('"') else begun):
        return [text for text in _of_choice(choice, word) if text.startswith(word)]
    before = begun.split()
    return [text for text in _candidates(word, before, names) if text.startswith(word)]


def _of_choice(choice: re.Match[str], word: str) -> Iterable[str]:
    """Complete inside a quotation mark that is still open: ``--schedule "karras r``."""
    registry = _CHOOSES.get(choice["flag"])
    if registry is None:
        return []
    if choice["name"] is None:
        return [f'"{name}' for name in registry.names()] if word.startswith('"') else []
    # Options are read off the function itself: proposing them must not be what loads torch.
    is_known = "torch" in sys.modules and choice["name"] in registry.names()
    return [f"{key}=" for key in registry.options(choice["name"])] if is_known else []


def _candidates(word: str, before: list[str], names: Mapping[str, object]) -> Iterable[str]:
    if _last_flag(before) == "--compare":
        return [*completed_axes(word), *(FLAGS if word.startswith("-") else ())]
    if before[:1] in (["compare"], ["sweep"]) and _last_flag(before) is None:
        flags = [flag.name for flag in COMMANDS[before[0]].flags]
        return [*completed_axes(word), *(flags if word.startswith("-") else ())]
    if before and before[0] in COMMANDS and COMMANDS[before[0]].flags:
        return _of_command(COMMANDS[before[0]].flags, word, before[-1])
    if before and before[-1] in FLAGS:
        return _values(before[-1], word, names)
    if before == ["panel"]:
        return PANELS
    if before[:1] == ["help"]:
        return [*COMMANDS, *FLAGS, *SAMPLERS.names(), *SCHEDULES.names(), *HOOKS.names()]
    if (before and not word) or word.startswith("-"):
        return [*FLAGS, *(["--keep", *OWN] if before[:1] == ["set"] else [])]
    return [] if before else COMMANDS


def _of_command(flags: Sequence[CommandFlag], word: str, last: str) -> Iterable[str]:
    """Complete the flags of a subcommand; a value goes on after the last comma of a list."""
    known = {flag.name: flag for flag in flags}
    if last not in known or not known[last].takes:
        return [*known]
    begun = word[: word.rfind(",") + 1]
    return [begun + value for value in known[last].values()]


def _last_flag(before: list[str]) -> str | None:
    return next((word for word in reversed(before) if word.startswith("-")), None)


def _values(flag: str, word: str, names: Mapping[str, object]) -> Iterable[str]:
    point, colon, _ = word.partition(":")
    if flag == "--on" and colon:
        return [f"{point}:{name}" for name in (*HOOKS.names(), *functions_in(names))]
    return FLAGS[flag].values()


def _last_word(rest: str) -> str:
    return re.split(r"\s", rest)[-1]
