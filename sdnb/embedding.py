"""A textual inversion, a word that was learned, as a plain value; and where prompts name them.

    embedding:name  (embedding:name:1.2)     in ComfyUI's meaning; a path may stand for the name
    name  (name:1.2)                         in A1111's: the bare name of a file, as any word

Files are read in `sdnb.models.embeddings`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, no_type_check

from sdnb.errors import InvalidField

SUFFIXES = (".safetensors", ".pt", ".bin")
"""How the files of textual inversions end."""

_NAMED = re.compile(r"(?<!\w)embedding:([^\s,]+)")


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class Embedding:
    """A textual inversion that prompts may name, written as its file: ``style.safetensors``.

    Parameters
    ----------
    reference : str
        Path of its file, or its bare name in a model folder.
    sha256 : str
        Of the file; empty until a run has read it. Another file of that name is refused then.
    """

    reference: str
    sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str) or not self.reference.strip():
            raise InvalidField(
                "an embedding is named by its file.",
                given=self.reference,
                fix="--embedding style.safetensors",
            )

    @classmethod
    def parse(cls, text: str) -> "Embedding":
        """Read a path or a bare name."""
        return cls(text.strip())

    @property
    def name(self) -> str:
        """The file's name without folder and suffix: the word that prompts have for it."""
        path = PurePath(self.reference.replace("\\", "/"))
        return path.stem if path.suffix.lower() in SUFFIXES else path.name

    def to_json(self) -> str | dict[str, Any]:
        """Return it as it is written; once its file was read, beside the key ``sha256``."""
        return {"embedding": str(self), "sha256": self.sha256} if self.sha256 else str(self)

    @classmethod
    def from_json(cls, written: str | dict[str, Any]) -> "Embedding":
        """Read what `to_json` wrote."""
        if isinstance(written, str):
            return cls.parse(written)
        return replace(cls.parse(written["embedding"]), sha256=str(written["sha256"]))

    def __str__(self) -> str:
        return self.reference


@dataclass(frozen=True)
class Mention:
    """Where a text names an embedding: from character ``start`` up to ``end``."""

    start: int
    end: int
    name: str


def find_mentions(text: str, syntax: str, known: Iterable[str]) -> Iterator[Mention]:
    """Give what a text without brackets names, in its order; ``plain`` text names nothing.

    ``known`` are the names that A1111's meaning looks for, in large letters or small ones; of two
    that begin in one place the longer is meant.
    """
    if syntax == "comfyui":
        for found in _NAMED.finditer(text):
            yield Mention(*found.span(), found[1])
        return
    names = {name.lower(): name for name in known}
    if syntax != "a1111" or not names:
        return
    longest = sorted(names, key=len, reverse=True)
    any_name = "|".join(f"({re.escape(name)})" for name in longest)
    for found in re.finditer(rf"(?<!\w)(?:{any_name})(?!\w)", text, re.IGNORECASE):
        which = longest[(found.lastindex or 0) - 1]  # `lower` knows fewer letters than IGNORECASE
        yield Mention(*found.span(), names[which])


def read_embeddings(given: object) -> tuple[Embedding, ...]:
    """Return embeddings that are given, or written: one or many."""
    many = (given,) if isinstance(given, str | Embedding) else given
    if not isinstance(many, tuple | list):
        raise _no_embeddings(given)
    embeddings = tuple(Embedding.parse(each) if isinstance(each, str) else each for each in many)
    if not all(isinstance(each, Embedding) for each in embeddings):
        raise _no_embeddings(given)
    return embeddings


def _no_embeddings(given: object) -> InvalidField:
    return InvalidField(
        "embeddings takes textual inversions, each written as its file.",
        given=given,
        allowed="a tuple of them, or of sdnb.embedding.Embedding",
        fix='embeddings=("style.safetensors",)',
    )
