"""Text that a cell shows as it is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Page:
    """A text that draws itself line by line, in a notebook and in a console."""

    text: str

    def __repr__(self) -> str:
        return self.text


def aligned(rows: Mapping[str, str], indent: str = "") -> str:
    """Write rows of name and value, the values one below the other; they may have several lines."""
    width = max(map(len, rows), default=0)
    below = "\n" + " " * (len(indent) + width + 2)
    lines = {name: value.replace("\n", below) for name, value in rows.items()}
    return "\n".join(f"{indent}{name:<{width}}  {value}".rstrip() for name, value in lines.items())
