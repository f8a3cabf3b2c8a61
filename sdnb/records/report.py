"""What becomes of settings between two programs, line by line: shown as text and as a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_CELL = "text-align:left;vertical-align:top;max-width:32em;overflow-wrap:anywhere"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One setting, beside what becomes of it.

    Parameters
    ----------
    what : str
        Its name, of a file that is read in the file's own words: ``"Sampler"``.
    theirs, ours : str
        Its value there and here; empty where it has no meaning.
    why : str
        Why the picture cannot be the same; empty where this does not stand in the way.
    """

    what: str
    theirs: str
    ours: str = ""
    why: str = ""


def as_text(lines: Sequence[Line]) -> list[str]:
    """Return paragraphs: what is as it was, and what cannot match."""
    mapped = [line for line in lines if not line.why]
    differing = [line for line in lines if line.why]
    parts = []
    if mapped:
        parts.append("as it was:\n" + _aligned([(line.what, _both(line)) for line in mapped]))
    if differing:
        rows = [(line.what, f"{_both(line)}\n{line.why}") for line in differing]
        parts.append("cannot match:\n" + _aligned(rows))
    return parts


def as_table(lines: Sequence[Line]) -> Iterator[str]:
    """Give the pieces of an HTML table, what cannot match first."""
    heads = ("", "there", "here", "why it cannot match")
    yield f"<table><tr>{''.join(f'<th style={_CELL!r}>{head}</th>' for head in heads)}</tr>"
    for line in sorted(lines, key=lambda line: not line.why):
        cells = (line.what, line.theirs or "–", line.ours or "–", line.why)
        row = "".join(f"<td style={_CELL!r}>{escape(visible(cell))}</td>" for cell in cells)
        yield f"<tr>{row}</tr>"
    yield "</table>"


def visible(text: str) -> str:
    """Return a text with what would not be seen, or would move what is, as escapes."""
    return "".join(
        mark if mark.isprintable() or mark == "\n" else mark.encode("unicode_escape").decode()
        for mark in text
    )


def _both(line: Line) -> str:
    same = not line.ours or not line.theirs or line.ours == line.theirs
    return visible(line.theirs or line.ours if same else f"{line.theirs}  →  {line.ours}")


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(visible(name)) for name, _ in rows)
    below = "\n" + " " * (width + 4)
    return "\n".join(
        f"  {visible(name):<{width}}  {text.strip()}".replace("\n", below) for name, text in rows
    )
