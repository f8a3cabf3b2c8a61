"""Where in a run a hook stands, as a plain value: ``step:my_function@3-7``.

What a hook is, and what it is given, is in `sdnb.events`.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from sdnb.choice import Choice
from sdnb.errors import InvalidField

POINTS = ("text", "start", "model", "denoise", "step", "image")
"""The six points of a run where a hook can stand."""

MODULE = "module."
"""Before the path of a module of the network, which is a point as well."""


@dataclass(frozen=True)
class HookUse:
    """A hook at a point of the run: ``step:my_function@3-7``, steps counted from 0.

    A point is one of `POINTS`, or a module of the network: ``module.mid_block:my_function``.
    ``last`` None means until the end. The name is looked up in the registry of hooks when the
    run starts; not where the function was ``given`` to the recorded run: there it is only a name.
    """

    point: str
    hook: Choice
    first: int = 0
    last: int | None = None
    given: bool = False

    def __post_init__(self) -> None:
        if self.point not in POINTS and not self.point.startswith(MODULE):
            raise InvalidField(
                "a run has no such hook point.",
                given=self.point,
                allowed=", ".join((*POINTS, f"{MODULE}PATH")),
            )
        if self.point in ("text", "start", "image") and (self.first, self.last) != (0, None):
            raise InvalidField(
                f"the point {self.point} comes once in a run and has no steps.",
                given=str(self),
                allowed=f"steps at model, denoise, step, {MODULE}PATH",
                fix=f"{self.point}:{self.hook}",
            )
        if self.first < 0 or (self.last is not None and self.last < self.first):
            raise InvalidField(
                "a hook's steps run from the first to the last, counted from 0.",
                given=f"{self.first}-{self.last}",
                fix="@3-7 for steps 3 to 7, @3- from step 3 on, @3 for step 3 alone",
            )

    @classmethod
    def parse(cls, text: str) -> "HookUse":
        """Read ``point:name@first-last``; the steps may be left out."""
        match = re.fullmatch(r"([\w.]+):([^@]+?)(?:@(\d+)(?:(-)(\d+)?)?)?", text.strip())
        if match is None:
            raise InvalidField(
                "a hook is written point:function@first-last.",
                given=text,
                allowed=f"points: {', '.join(POINTS)}, {MODULE}PATH",
                fix="--on step:my_function@3-7",
            )
        point, hook, first, dash, last = match.groups()
        only = int(first) if first and not dash else None
        return cls(
            point, Choice.parse(hook), int(first or 0), int(last) if last is not None else only
        )

    def to_json(self) -> str | dict[str, Any]:
        """Return the use as it is written; of a given function, beside the key ``given``."""
        return {"given": str(self)} if self.given else str(self)

    @classmethod
    def from_json(cls, written: str | dict[str, Any]) -> "HookUse":
        """Read what `to_json` wrote."""
        if isinstance(written, str):
            return cls.parse(written)
        return dataclasses.replace(cls.parse(written["given"]), given=True)

    def __str__(self) -> str:
        if self.first == 0 and self.last is None:
            return f"{self.point}:{self.hook}"
        last = "" if self.last is None else self.last
        return f"{self.point}:{self.hook}@{self.first}-{last}"
