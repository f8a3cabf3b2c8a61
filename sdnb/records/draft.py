"""A request as far as a file was read, with what was said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdnb.errors import SdnbError
from sdnb.records.report import Line
from sdnb.request import GenerationRequest

OWN_NOISE = "noise inside the loop is sdnb's own: the same kind of picture, not the same one"
"""Why a stochastic sampler never gives another program's picture."""


@dataclass
class Draft:
    """What a reader of another program's file fills in, bit by bit.

    Parameters
    ----------
    path : str
        The file, as it was named.
    """

    path: str
    request: GenerationRequest = field(default_factory=GenerationRequest)
    lines: list[Line] = field(default_factory=list)

    def take(self, what: str, theirs: str, fields: Mapping[str, object], why: str = "") -> None:
        """Set fields of the request; what it does not take is said."""
        try:
            self.request = self.request.changed(**fields)
        except SdnbError as error:
            self.leave(what, theirs, error.what)
            return
        ours = ", ".join(f"{name}={value}" for name, value in fields.items())
        self.lines.append(Line(what=what, theirs=theirs, ours=ours, why=why))

    def leave(self, what: str, theirs: str, why: str) -> None:
        """Say what has no meaning here."""
        self.lines.append(Line(what=what, theirs=theirs, why=why))
