"""A LoRA file and how much of it, as a plain value: ``style.safetensors:0.8``.

What is in such a file, and what it does to the networks, is in `sdnb.models.lora`.
"""

from dataclasses import dataclass, replace
from math import isfinite
from pathlib import PurePath
from typing import Any, no_type_check

from sdnb.errors import InvalidField


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class Lora:
    """A LoRA to draw with, written ``style.safetensors:0.8`` or, with two weights, ``…:0.8:0.5``.

    Parameters
    ----------
    reference : str
        Path of a .safetensors file, or the bare name of one that ships with sdnb.
    weight : float
        How much of it the U-Net takes: 1 as it was trained, 0 nothing, below 0 its opposite.
    text_weight : float, optional
        How much of it the text encoders take; None as much as the U-Net.
    sha256 : str
        Of the file's tensors, as A1111 and kohya's tools count it, and of peft's settings where its
        header has some; empty until a run has read the file. A file that has another one by then
        is refused.
    """

    reference: str
    weight: float = 1.0
    text_weight: float | None = None
    sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str) or not self.reference.strip():
            raise InvalidField(
                "a LoRA is named by its file.", given=self.reference, fix="--lora style.safetensors"
            )
        object.__setattr__(self, "weight", _weight(self.weight))
        text = self.weight if self.text_weight is None else _weight(self.text_weight)
        object.__setattr__(self, "text_weight", None if text == self.weight else text)

    @classmethod
    def parse(cls, text: str) -> "Lora":
        """Read ``file``, ``file:weight`` or ``file:weight:text_weight``."""
        reference = text.strip()
        weights: list[float] = []
        while len(weights) < 2 and _is_number(_last_part(reference)):
            reference, _, last = reference.rpartition(":")
            weights.insert(0, float(last))
        weight, *other = weights or [1.0]
        return cls(reference, weight, other[0] if other else None)

    @property
    def name(self) -> str:
        """The file's name without folder and suffix."""
        return PurePath(self.reference.replace("\\", "/")).name.removesuffix(".safetensors")

    @property
    def weights(self) -> tuple[float, float]:
        """How much the U-Net takes, and the text encoders."""
        return self.weight, self.weight if self.text_weight is None else self.text_weight

    def to_json(self) -> str | dict[str, Any]:
        """Return it as it is written; once its file was read, beside the key ``sha256``."""
        return {"lora": str(self), "sha256": self.sha256} if self.sha256 else str(self)

    @classmethod
    def from_json(cls, written: str | dict[str, Any]) -> "Lora":
        """Read what `to_json` wrote."""
        if isinstance(written, str):
            return cls.parse(written)
        return replace(cls.parse(written["lora"]), sha256=str(written["sha256"]))

    def __str__(self) -> str:
        needs_both = self.text_weight is not None or _is_number(_last_part(self.reference))
        weights = self.weights if needs_both else [self.weight]
        return ":".join([self.reference, *(repr(each).removesuffix(".0") for each in weights)])


def read_loras(given: object) -> tuple[Lora, ...]:
    """Return LoRAs that are given, or written: one or many."""
    many = (given,) if isinstance(given, str | Lora) else given
    if not isinstance(many, tuple | list):
        raise _no_loras(given)
    loras = tuple(Lora.parse(each) if isinstance(each, str) else each for each in many)
    if not all(isinstance(each, Lora) for each in loras):
        raise _no_loras(given)
    return loras


def _no_loras(given: object) -> InvalidField:
    return InvalidField(
        "loras takes LoRAs, each written file:weight.",
        given=given,
        allowed="a tuple of them, or of sdnb.lora.Lora",
        fix='loras=("style.safetensors:0.8",)',
    )


def _weight(given: object) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool) or not isfinite(given):
        raise InvalidField(
            "the weight of a LoRA is a finite number.",
            given=given,
            allowed="mostly 0 … 1.5; below 0 its opposite",
            fix="--lora style.safetensors:0.8",
        )
    return float(given)


def _last_part(reference: str) -> str:
    return reference.rpartition(":")[2]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
