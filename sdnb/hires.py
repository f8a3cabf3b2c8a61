"""A second pass at a larger size, as it is written down: ``2x denoise=0.5``.

How it is made is in `sdnb.passes`.
"""

import re
from dataclasses import dataclass
from math import isfinite
from typing import no_type_check

from sdnb.choice import Choice
from sdnb.errors import InvalidField, UnknownName

UPSCALES = ("latent", "latent_nearest", "latent_bicubic", "lanczos")
"""What is enlarged, and how: the latents (``latent`` is bilinear), or the decoded picture."""

_OPTIONS = ("denoise", "steps", "upscale")


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True, kw_only=True)
class Hires:
    """A second pass over what the first one drew, enlarged.

    Checkpoints draw well at the size of their training only; what they drew there can be
    enlarged, noised a little and drawn again, for details. Hooks stand in both passes, each of
    which counts its steps from 0.

    Parameters
    ----------
    scale : float
        Times the width and the height, each then rounded to a multiple of 8; 1 … 8.
    denoise : float
        As a request's: how far the second pass goes from the first; over 0, up to 1. Enlarged
        latents are blurred or blocky below about 0.5.
    steps : int or None
        Of the second pass; None: as many as the request's.
    upscale : str
        One of `UPSCALES`.
    """

    scale: float = 2.0
    denoise: float = 0.5
    steps: int | None = None
    upscale: str = "lanczos"

    def __post_init__(self) -> None:
        _check("scale", self.scale, 1 <= _number(self.scale) <= 8, "1 … 8")
        _check("denoise", self.denoise, 0 < _number(self.denoise) <= 1, "over 0, up to 1")
        fits = self.steps is None or (type(self.steps) is int and 1 <= self.steps <= 1000)
        _check("steps", self.steps, fits, "1 … 1000, or None")
        UnknownName.check("way to enlarge", str(self.upscale), UPSCALES, fix="upscale=lanczos")

    @classmethod
    def parse(cls, text: str) -> "Hires":
        """Read ``2x denoise=0.5 steps=10 upscale=latent``; all but the first may be left out."""
        written = Choice.parse(text)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)x?", written.name)
        if match is None:
            raise InvalidField(
                "a second pass is written with its scale first.",
                given=text,
                allowed=f"2x, or 1.5x with options: {', '.join(_OPTIONS)}",
                fix='--hires "2x denoise=0.5"',
            )
        for name, _ in written.options:
            UnknownName.check("option of a second pass", name, _OPTIONS, fix="2x denoise=0.5")
        return cls(scale=float(match[1]), **dict(written.options))  # type: ignore[arg-type]  # checked on entry

    def side(self, pixels: int) -> int:
        """Return a side's length in the second pass, from that in the first."""
        return max(8, round(pixels * self.scale / 8) * 8)

    def __str__(self) -> str:
        steps = "" if self.steps is None else f" steps={self.steps}"
        scale = f"{float(self.scale)}".removesuffix(".0")
        return f"{scale}x denoise={self.denoise}{steps} upscale={self.upscale}"


def _number(value: object) -> float:
    """Return a number as it is; of anything else, one that lies in no range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return -1.0
    return float(value)


def _check(name: str, given: object, fits: bool, allowed: str) -> None:
    if not fits:
        raise InvalidField(
            f"{name} of a second pass is out of its range.",
            given=given,
            allowed=allowed,
            fix='hires="2x denoise=0.5"',
        )
