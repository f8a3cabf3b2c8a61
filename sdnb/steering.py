"""Pictures that steer a run through networks beside the U-Net, as plain values.

    depth.png:depth:0.7:0-0.5        a picture, a network, its weight, its part of the run

What steers is a `sdnb.control.Control` or a `sdnb.ip_adapter.IPAdapter`: they are written alike.
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, ClassVar, Self, no_type_check

from sdnb.errors import InvalidField
from sdnb.picture import Picture

_PATH = r"(?:[A-Za-z]:(?=[\\/]))?[^:]+"  # a drive's letter has a colon of its own
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_WRITTEN = re.compile(
    rf"(?P<picture>{_PATH}):(?P<reference>{_PATH}?)"
    rf"(?::(?P<weight>{_NUMBER}))?(?::(?P<begin>{_NUMBER})-(?P<end>{_NUMBER}))?"
)


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True, kw_only=True)
class Steering:
    """A picture that steers, written ``picture:network``, ``…:weight`` or ``…:weight:begin-end``.

    Parameters
    ----------
    picture : Picture
        What the network is shown.
    reference : str
        The network: a path, a bare name in a model folder, or one that ships with sdnb.
    weight : float
        How much of what it says is heard: 1 as it was trained, 0 nothing.
    begin, end : float
        From which share of the run's steps on, and up to which, 0 … 1.
    sha256 : str
        Of the network's file; empty until a run has read it. Another file of that name is
        refused then.
    """

    NOUN: ClassVar[str]  # what messages call one
    NETWORK: ClassVar[str]
    KEY: ClassVar[str]  # of the network in JSON
    FLAG: ClassVar[str]  # an example
    FIELD: ClassVar[str]  # of the request

    picture: Picture = field(repr=False)
    reference: str
    weight: float = 1.0
    begin: float = 0.0
    end: float = 1.0
    sha256: str = ""

    def __post_init__(self) -> None:
        noun = self.NOUN
        if not isinstance(self.picture, Picture):
            raise self._wrong(f"{noun} has a Picture.", self.picture, "Picture.read(path)")
        if not isinstance(self.reference, str) or not self.reference.strip():
            raise self._wrong(f"{noun} names {self.NETWORK}.", self.reference, "its file, a name")
        for name in ("weight", "begin", "end"):
            number = getattr(self, name)
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if not is_number or not isfinite(number):
                raise self._wrong(f"the {name} of {noun} is a finite number.", number, "0 … 1")
            object.__setattr__(self, name, float(number))
        if not 0 <= self.begin < self.end <= 1:
            span = f"{self.begin:g}-{self.end:g}"
            raise self._wrong(f"{noun} lasts for a part of the run.", span, "0-1, 0-0.5, 0.2-0.8")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what is written, and the picture's file."""
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            what = f"{cls.NOUN} is a picture and {cls.NETWORK}."
            raise cls._wrong(what, text, f"picture:{cls.KEY}:weight")
        return cls(
            picture=Picture.read(match["picture"]),
            reference=match["reference"],
            weight=float(match["weight"] or 1),
            begin=float(match["begin"] or 0),
            end=float(match["end"] or 1),
        )

    @classmethod
    def read_many(cls, given: object) -> tuple[Self, ...]:
        """Return what is given, or written: one or many."""
        many = (given,) if isinstance(given, str | cls) else given
        if not isinstance(many, tuple | list):
            raise cls._none(given)
        found = tuple(cls.parse(each) if isinstance(each, str) else each for each in many)
        if not all(isinstance(each, cls) for each in found):
            raise cls._none(given)
        return found

    def is_heard(self, index: int, total: int) -> bool:
        """Whether it has a part in step ``index`` of ``total``.

        Source: diffusers, ``control_guidance_start`` and ``control_guidance_end``: the whole
        step lies within the span.
        """
        is_within = index / total >= self.begin and (index + 1) / total <= self.end
        return self.weight != 0 and is_within

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the picture in base64."""
        return {
            "picture": b64encode(self.picture.png).decode(),
            self.KEY: self.reference,
            "weight": self.weight,
            "begin": self.begin,
            "end": self.end,
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, written: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        fields = dict(written)
        picture = Picture(b64decode(fields.pop("picture")))
        sha256 = str(fields.pop("sha256", ""))
        return cls(picture=picture, reference=fields.pop(cls.KEY), sha256=sha256, **fields)

    def __str__(self) -> str:
        """Return it as it is written, without the picture, which has no path any more."""
        numbers = (self.weight, self.begin, self.end)
        weight, begin, end = (repr(number).removesuffix(".0") for number in numbers)
        is_whole = (self.begin, self.end) == (0, 1)
        return ":".join([self.reference, weight, *([] if is_whole else [f"{begin}-{end}"])])

    @classmethod
    def _none(cls, given: object) -> InvalidField:
        return InvalidField(
            f"{cls.FIELD} takes pictures with networks, each written picture:{cls.KEY}:weight.",
            given=given,
            allowed=f"a tuple of them, or of {cls.__module__}.{cls.__name__}",
            fix=f'{cls.FIELD}=("{cls.FLAG.partition(" ")[2]}",)',
        )

    @classmethod
    def _wrong(cls, what: str, given: object, allowed: str) -> InvalidField:
        return InvalidField(what, given=given, allowed=allowed, fix=cls.FLAG)
