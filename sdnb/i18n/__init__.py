"""The words of panels and plots, in English and Spanish: ``tr("studio.steps")``.

The words themselves are in ``en.json`` and ``es.json`` beside this file, with the same keys.
Errors are not among them: they are English, and carry their fields.
"""

import json
import os
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import MethodType

from sdnb.errors import InvalidField, UnknownName
from sdnb.files import config_folder, replace_whole

LANGUAGES = ("en", "es")

_ENVIRONMENT = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where a locale stands, the first one that is not empty (POSIX.1-2017, chapter 8.2)."""


class _Choice:
    """The language that was set, and who wants to know when another is."""

    def __init__(self) -> None:
        self.language: str | None = None
        self.listeners: list[weakref.WeakMethod[Callable[[], None]]] = []


_choice = _Choice()


def tr(key: str, **values: object) -> str:
    """Return the words of a key in the language that is set.

    Parameters
    ----------
    **values
        What stands where the words have ``{name}``.

    Raises
    ------
    UnknownName
        For a key that nobody wrote.
    """
    found = words(language())
    UnknownName.check("word", key, found)
    return found[key].format(**values) if values else found[key]


@cache
def words(name: str) -> dict[str, str]:
    """Return key -> words of one language."""
    path = Path(__file__).with_name(f"{name}.json")
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def language() -> str:
    """Return the language that is set; else the one that is kept, else the locale's, or English."""
    if _choice.language is None:
        _choice.language = _kept() or _of_locale()
    return _choice.language


def set_language(name: str) -> None:
    """Speak another language from now on, in open panels too; raises `UnknownName`."""
    UnknownName.check("language", name, LANGUAGES)
    _choice.language = name
    for listener in list(_choice.listeners):
        told = listener()
        if told is None:
            _choice.listeners.remove(listener)
        else:
            told()


def on_change(told: Callable[[], None]) -> None:
    """Call a method whenever another language is set, as long as its object lives."""
    if not isinstance(told, MethodType):
        raise TypeError("a listener is a method: it is forgotten with its object")
    _choice.listeners.append(weakref.WeakMethod(told))


def keep_language(name: str) -> Path:
    """Keep a language for later processes; return the file that says so."""
    UnknownName.check("language", name, LANGUAGES)
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return replace_whole(path, f"{name}\n".encode())
    except OSError as error:
        raise InvalidField(
            f"the language could not be kept: {error.strerror or error}.",
            given=str(path),
            allowed="a folder that can be written to",
            fix="name another folder in the environment variable SDNB_CONFIG",
        ) from error


def _path() -> Path:
    return config_folder() / "language"


def _kept() -> str | None:
    """Return what was kept; a file that says something else is as good as none."""
    try:
        name = _path().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return name if name in LANGUAGES else None


def _of_locale() -> str:
    said = next(filter(None, map(os.environ.get, _ENVIRONMENT)), "")
    name = said.partition("_")[0].partition(".")[0].lower()
    return name if name in LANGUAGES else "en"
