"""What a file says of how a picture was made, and how much of that can be had here.

Which kinds of files are read is in `sdnb.records.reading`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any

from sdnb.request import GenerationRequest

_HANDED_ON = ("start", "controls", "ip_adapters", "hooks")
"""Fields that Python code takes from the file itself: pictures, and hooks with their names."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that a file says, beside what became of it.

    Parameters
    ----------
    what : str
        Its name in the file's own words: ``"Sampler"``.
    theirs, ours : str
        Its value there and here; empty here where it has no meaning.
    why : str
        Why the picture cannot be the same; empty where this does not stand in the way.
    """

    what: str
    theirs: str
    ours: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """A request that was read from a file, with a report on how well it fits.

    It draws itself as the report and as Python code.

    Parameters
    ----------
    request : GenerationRequest
        What leads to the picture here, as near as it can be.
    index : int
        The picture's place in the batch of the request.
    source : str
        The program that wrote it: ``"sdnb"``, ``"A1111"``, ``"ComfyUI"``.
    path : str
        The file, as it was named.
    lines : tuple of Line
        What was mapped, and what cannot match.
    folder : str
        Where the pictures were found that the file names; empty where none was given.
    """

    request: GenerationRequest
    index: int = 0
    source: str
    path: str
    lines: tuple[Line, ...] = ()
    folder: str = ""

    @property
    def differences(self) -> tuple[Line, ...]:
        """What cannot match here, and why; empty where the picture comes back as it was."""
        return tuple(line for line in self.lines if line.why)

    @property
    def python(self) -> str:
        """The request as code that runs it; pictures and hooks are taken from the file."""
        known, built_in = self.request, GenerationRequest()
        changed = [
            field.name
            for field in fields(GenerationRequest)
            if getattr(known, field.name) != getattr(built_in, field.name)
        ]
        load = "" if known.checkpoint is None else repr(known.checkpoint)
        rows = (f"    {name}={self._code(name)},\n" for name in changed)
        return (
            f"import sdnb\n\npipe = sdnb.load({load})\n"
            f"request = sdnb.GenerationRequest(\n{''.join(rows)})\nresult = pipe.run(request)"
        )

    def _code(self, name: str) -> str:
        if name in _HANDED_ON:
            where = f", folder={self.folder!r}" if self.folder else ""
            return f"sdnb.read({self.path!r}{where}).request.{name}"
        value = getattr(self.request, name)
        if isinstance(value, tuple):  # of LoRAs, of embeddings
            return repr(tuple(map(str, value)))
        return repr(value if isinstance(value, str | int | float) else str(value))

    def __repr__(self) -> str:
        differing, mapped = self.differences, [line for line in self.lines if not line.why]
        parts = [self._title]
        if mapped:
            parts.append("as it was:\n" + _aligned([(line.what, _both(line)) for line in mapped]))
        if differing:
            rows = [(line.what, f"{_both(line)}\n{line.why}") for line in differing]
            parts.append("cannot match:\n" + _aligned(rows))
        return "\n\n".join([*parts, "in Python:\n" + _indented(self.python)])

    @property
    def _title(self) -> str:
        place = "" if self.request.batch_size == 1 else f", picture {self.index} of its batch"
        return f"{visible(self.path)}, written by {visible(self.source)}{place}"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": "".join(self._html())}

    def _html(self) -> Iterator[str]:
        yield f"<div class='sdnb-recalled'><div>{escape(self._title)}</div><table>"
        heads = ("", "there", "here", "why it cannot match")
        yield f"<tr>{''.join(f'<th style={_CELL!r}>{head}</th>' for head in heads)}</tr>"
        for line in sorted(self.lines, key=lambda line: not line.why):
            cells = (line.what, line.theirs, line.ours or "–", line.why)
            row = "".join(f"<td style={_CELL!r}>{escape(visible(cell))}</td>" for cell in cells)
            yield f"<tr>{row}</tr>"
        code = escape(visible(self.python))
        yield f"</table><details><summary>in Python</summary><pre>{code}</pre></details></div>"


_CELL = "text-align:left;vertical-align:top;max-width:32em;overflow-wrap:anywhere"


def visible(text: str) -> str:
    """Return a text with what would not be seen, or would move what is, as escapes."""
    return "".join(
        mark if mark.isprintable() or mark == "\n" else mark.encode("unicode_escape").decode()
        for mark in text
    )


def _both(line: Line) -> str:
    same = not line.ours or line.ours == line.theirs
    return visible(line.theirs if same else f"{line.theirs}  →  {line.ours}")


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(visible(name)) for name, _ in rows)
    below = "\n" + " " * (width + 4)
    return "\n".join(
        f"  {visible(name):<{width}}  {text.strip()}".replace("\n", below) for name, text in rows
    )


def _indented(code: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in visible(code).split("\n"))
