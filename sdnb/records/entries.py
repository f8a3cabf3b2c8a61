"""What the history gives: an entry for each result, and lists of them, which draw themselves."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from sqlite3 import Connection, Row
from typing import TYPE_CHECKING, Any

from sdnb.errors import HistoryError
from sdnb.records.report import visible
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Kept:
    """A picture of an entry: its file, and a small WebP of it."""

    file: Path
    thumbnail: bytes

    def read(self) -> bytes:
        """Return the file's bytes; raises `HistoryError` where it is gone."""
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise _gone(self.file) from error


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A result that was remembered.

    Parameters
    ----------
    number : int
        Counts up from 1; never used twice.
    id : str
        The result's own id, by which its branches name it.
    made : str
        When, in UTC: ``2026-11-28T16:30:05+00:00``.
    facts : mapping of str to str
        As `sdnb.result.Result.recorded`.
    seeds : tuple of int
        One for each picture.
    parent : (str, int) or None
        Of a branch: the id of the result it comes from, and the step it begins at.
    comparison : str
        The id of the comparison it is a cell of; empty for none.
    cell : tuple of str
        Its labels there.
    is_pinned : bool
        Whether it is kept when the history gets too large.
    """

    number: int
    id: str
    made: str
    written: str
    facts: Mapping[str, str]
    seeds: tuple[int, ...]
    parent: tuple[str, int] | None
    comparison: str
    cell: tuple[str, ...]
    is_pinned: bool
    pictures: tuple[Kept, ...]

    @property
    def request(self) -> GenerationRequest:
        """What was run; `Pipeline.run` runs it again.

        Raises `UnknownName` or `InvalidField` where it names what this kernel does not know.
        """
        return GenerationRequest.from_json(json.loads(self.written))

    @property
    def images(self) -> "tuple[Image, ...]":
        """The pictures, read from their files; raises `HistoryError` where one is gone."""
        return tuple(map(_opened, self.pictures))

    @property
    def line(self) -> str:
        """What it is, in a line."""
        seeds = " … ".join(str(seed) for seed in dict.fromkeys((self.seeds[0], self.seeds[-1])))
        parts = [
            f"seed {seeds}",
            f"{self._asked('sampler')} · {self._asked('schedule')}",
            f"{self._asked('steps')} steps",
            f"cfg {self._asked('cfg_scale')}",
            *([visible(", ".join(self.cell))] if self.cell else []),
            *([f"branch of {self.parent[0]} at step {self.parent[1]}"] if self.parent else []),
            *(["pinned"] if self.is_pinned else []),
        ]
        return " · ".join(parts)

    @property
    def prompt(self) -> str:
        """What was asked for, with what would not be seen as escapes."""
        return self._asked("prompt")

    @property
    def day(self) -> str:
        """When it was made, to the minute."""
        return self.made[:16].replace("T", " ")

    @cached_property
    def _values(self) -> Mapping[str, object]:
        values = json.loads(self.written)
        return values if isinstance(values, dict) else {}

    # Drawn as it was written: a list has its lines whatever names this kernel knows.
    def _asked(self, name: str) -> str:
        value = self._values.get(name, "?")
        return f"{value:g}" if isinstance(value, float) else visible(str(value))

    def __repr__(self) -> str:
        return f"{self.number:>6}  {self.day}  {_short(self.prompt)}  ({self.line})"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        shown = "".join(_picture(self, index, 192) for index in range(len(self.pictures)))
        prompt = escape(self.prompt)
        files = "".join(f"<div>{escape(str(kept.file))}</div>" for kept in self.pictures)
        said = f"<div>{prompt}</div><div>{escape(self.line)}</div><small>{files}</small>"
        return {"text/plain": repr(self), "text/html": f"<div>{shown}{said}</div>"}


@dataclass(frozen=True)
class Entries(Sequence[Entry]):
    """Some entries, the newest first; a table where they are shown."""

    found: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.found)

    # An index gives one, a slice several, as with any sequence.
    def __getitem__(self, index: Any) -> Any:
        return self.found[index]

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.found)) or "nothing in the history"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        rows = "".join(f"<tr>{''.join(_row(entry))}</tr>" for entry in self.found)
        html = f"<table class='sdnb-history'>{rows}</table>" if rows else escape(repr(self))
        return {"text/plain": repr(self), "text/html": html}


def read_entry(database: Connection, row: Row, folder: Path) -> Entry:
    """Return the entry of a row of results, with its pictures in the history's folder."""
    query = "SELECT file, thumbnail FROM pictures WHERE result = ? ORDER BY place"
    pictures = database.execute(query, (row["number"],)).fetchall()
    return Entry(
        number=row["number"],
        id=row["id"],
        made=row["made"],
        written=row["request"],
        facts=json.loads(row["facts"]),
        seeds=tuple(json.loads(row["seeds"])),
        parent=None if row["parent"] is None else (row["parent"], row["parent_step"]),
        comparison=row["comparison"] or "",
        cell=tuple(json.loads(row["cell"] or "[]")),
        is_pinned=bool(row["pinned"]),
        pictures=tuple(Kept(folder / file, small) for file, small in pictures),
    )


def _row(entry: Entry) -> Iterator[str]:
    pictures = "".join(_picture(entry, index, 64) for index in range(min(4, len(entry.pictures))))
    prompt = escape(_short(entry.prompt))
    style = "text-align:left;vertical-align:middle"
    yield f"<td>{entry.number}</td><td>{pictures}</td>"
    yield f"<td style='{style};max-width:30em;overflow-wrap:anywhere'>{prompt}</td>"
    yield f"<td style='{style}'>{escape(entry.line)}</td><td>{escape(entry.day)}</td>"


def _picture(entry: Entry, index: int, width: int) -> str:
    seed, prompt = entry.seeds[index], _short(entry.prompt)
    alt = escape(f"Generated image, seed {seed}: {prompt}")
    data = b64encode(entry.pictures[index].thumbnail).decode()
    style = f"max-width:{width}px;margin:1px"
    return f'<img alt="{alt}" src="data:image/webp;base64,{data}" style="{style}">'


def _short(prompt: str) -> str:
    words = " ".join(prompt.split())
    return words if len(words) <= 100 else f"{words[:99]}…"


def _opened(kept: Kept) -> "Image":
    from PIL import Image

    try:
        with Image.open(kept.file) as image:
            return image.copy()
    except (OSError, SyntaxError, ValueError) as error:
        raise _gone(kept.file) from error


def _gone(file: Path) -> HistoryError:
    return HistoryError(
        "a picture of the history is not there any more, or broken.",
        given=str(file),
        allowed="the file as it was saved",
        fix="draw it again: pipe.run(entry.request)",
    )
