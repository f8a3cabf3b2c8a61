"""The error tree: every error says what happened, what was given, what is allowed, how to fix it.

    SdnbError
    ├── InvalidField (ValueError)     a value that a request or a call cannot take
    ├── UnknownName (LookupError)     a sampler, schedule, hook, checkpoint or variable nobody knows
    ├── HookError (RuntimeError)      a hook raised, or returned what does not fit
    ├── ModelError (RuntimeError)     the network answered NaN or infinity
    ├── LoadError (OSError)           a checkpoint that is missing, broken or of an unknown kind
    ├── HistoryError (OSError)        the history cannot be read or written
    └── PipelineBusy (RuntimeError)   another thread runs this pipeline

Nothing here is translated: the shell renders the same four fields in another language.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_BEGINNING, _END = 150, 50  # characters of a value that an error shows
_LONGEST = _BEGINNING + _END


class SdnbError(Exception):
    """An error that its reader can act on.

    Parameters
    ----------
    what : str
        What happened, a sentence.
    given : object
        The value at fault; None where there is none. Of a long one the two ends are shown.
    allowed : str
        What would have been right.
    fix : str
        What to do now.
    """

    def __init__(
        self, what: str, *, given: object = None, allowed: str = "", fix: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.given = given
        self.allowed = allowed
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.what]
        if self.given is not None:
            parts.append(f"  given:   {_shown(self.given)}")
        if self.allowed:
            parts.append(f"  allowed: {self.allowed}")
        if self.fix:
            parts.append(f"  fix:     {self.fix}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        fields = {"given": self.given, "allowed": self.allowed, "fix": self.fix}
        return (_rebuild, (type(self), self.what, fields))

    def _render_traceback_(self) -> list[str]:
        """Lines a notebook shows in place of a traceback (IPython's protocol)."""
        return [f"{type(self).__name__}: {self}"]


class InvalidField(SdnbError, ValueError):
    """A value that a request or a call cannot take."""


class UnknownName(SdnbError, LookupError):
    """A name nobody registered; lists the known ones and the nearest."""

    @classmethod
    def check(cls, kind: str, given: str, known: Iterable[str], fix: str = "") -> None:
        """Raise the error that `among` makes if ``given`` is not known."""
        known = list(known)
        if given not in known:
            raise cls.among(kind, given, known, fix)

    @classmethod
    def among(cls, kind: str, given: str, known: Iterable[str], fix: str = "") -> "UnknownName":
        """Make the error for ``given``, with the nearest of the ``known`` names.

        Parameters
        ----------
        kind : str
            What the name should have named: ``"sampler"``.
        fix : str
            What to do when no known name is near.
        """
        known = sorted(known)
        near = get_close_matches(given, known, n=3, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}?" if near else fix
        return cls(
            f"there is no {kind} of this name.", given=given, allowed=", ".join(known), fix=advice
        )


class HookError(SdnbError, RuntimeError):
    """A hook raised, or returned something that does not fit its event."""

    def _render_traceback_(self) -> list[str]:
        """As every error here, and where in the hook it was raised."""
        lines = super()._render_traceback_()
        cause, trace = self.__cause__, getattr(self.__cause__, "__traceback__", None)
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            code = trace.tb_frame.f_code
            lines.append(f"  raised by {code.co_name}, line {trace.tb_lineno}: {cause!r}")
        return lines


class ModelError(SdnbError, RuntimeError):
    """The network answered with NaN or infinity."""


class LoadError(SdnbError, OSError):
    """A checkpoint that is missing, broken or of an unknown kind."""


class HistoryError(SdnbError, OSError):
    """The history, or a picture in it, cannot be read or written."""


class PipelineBusy(SdnbError, RuntimeError):
    """Another thread runs this pipeline, and the caller did not want to wait."""


def reason_of(error: Exception, path: str | Path = "") -> str:
    """Return what another library's error says of a file, naming it without its folders.

    A picture keeps what happened, and is handed on; the whole path is for ``given`` alone.
    """
    said = getattr(error, "strerror", None) or str(error)
    for place in (str(Path(path).absolute()), str(path)) if path else ():
        said = said.replace(place, Path(path).name)
    return said


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= _LONGEST else f"{text[:_BEGINNING]} … {text[-_END:]}"


def _rebuild(kind: type[SdnbError], what: str, fields: dict[str, object]) -> SdnbError:
    error = kind(what)
    error.__dict__.update(fields)
    return error
