r"""What a prompt says beyond its words: how much they count, and words that change on the way.

    (word:1.3)  ((word))  [word]     how much words count, in the meaning of a syntax
    BREAK                            what follows begins a new chunk of the text encoder
    [from:to:0.4]  [from:to:8]       other words after a share of the run, or after so many steps
    [to:0.4]  [from::0.4]            words that come, or go

A backslash takes a bracket's meaning away: ``\(``. Nothing is evaluated, and nothing is an
error: brackets that do not fit are text. What becomes of weights is in `sdnb.models.text`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SYNTAXES: Mapping[str, str] = {
    "comfyui": "(word) counts 1.1 times as much, (word:1.3) counts 1.3; [word] is text",
    "a1111": "(word) and (word:1.3) multiply what is around them, [word] divides by 1.1",
    "plain": "brackets and BREAK are text, and nothing changes on the way",
}
"""What brackets mean to whom."""

STRONGER = 1.1

MANY = 10_000
"""Steps, more than any run has: each edit of a prompt has its time in so many."""

_MARK = re.compile(r"\\[()\[\]\\]|[()\[\]]|[^\\()\[\]]+|\\")
_WEIGHT = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$")
_BREAK = re.compile(r"(?<!\S)BREAK(?!\S)")
# a colon in round brackets is a weight's, and that of embedding:name a word's
_WORDS = r"((?:\([^()]*\)|(?<!\w)embedding:|[^\[\]:()])*)"
_COLON = "(?<!embedding):"
_EDIT = re.compile(rf"(?<!\\)\[(?:{_WORDS}{_COLON})?{_WORDS}{_COLON}\s*(\d+\.?\d*|\.\d+)\s*\]")


@dataclass(frozen=True)
class Piece:
    """A part of a prompt, as it stands there from character ``start`` on, and what it counts."""

    text: str
    start: int
    weight: float = 1.0


def read_chunks(prompt: str, syntax: str) -> list[list[Piece]]:
    """Part a prompt at each BREAK, and each part into pieces of one weight."""
    if syntax == "plain":
        return [[Piece(prompt, 0)]]
    chunks: list[list[Piece]] = [[]]
    for piece in read_weights(prompt, syntax):
        begin = 0
        for found in _BREAK.finditer(piece.text):
            chunks[-1] += _cut(piece, begin, found.start())
            chunks.append([])
            begin = found.end()
        chunks[-1] += _cut(piece, begin, len(piece.text))
    return chunks if chunks[-1] else chunks[: max(1, len(chunks) - 1)]


def read_runs(prompt: str, syntax: str) -> list[list[list[Piece]]]:
    """Part a prompt as `read_chunks` does, and gather what is to be read together.

    Pieces of one weight are, with nothing between them but a dropped backslash.
    """
    return [_touching(prompt, pieces) for pieces in read_chunks(prompt, syntax)]


def read_weights(prompt: str, syntax: str) -> list[Piece]:
    """Part a prompt into pieces of one weight; brackets with a meaning are left out.

    ``comfyui``: round brackets multiply what is inside by 1.1, ``(word:1.3)`` sets it to 1.3
    whatever is around. ``a1111``: round brackets multiply by 1.1 or by the number, square ones
    divide by 1.1, and one that is never closed reaches to the end.
    """
    marks = [Piece(found[0], found.start()) for found in _MARK.finditer(prompt)]
    return list(_comfyui(marks, 1.0) if syntax == "comfyui" else _a1111(marks))


def edited(prompt: str, steps: int, syntax: str) -> list[tuple[int, str]]:
    """Return the prompts of a run: the step from which each holds, and its text.

    ``[from:to:when]`` is ``from`` in the first ``when`` steps and ``to`` behind them, ``[to:when]``
    nothing and then ``to``; a ``when`` with a point in it is a share of all steps. They may stand
    inside each other. Alternation, ``[a|b]``, is text.
    """
    if syntax == "plain":
        return [(0, prompt)]
    changes = sorted({0, *_changes(prompt, steps)})
    texts = [(step, _at(prompt, step, steps)) for step in changes if step < steps]
    return [
        (step, text) for i, (step, text) in enumerate(texts) if i == 0 or text != texts[i - 1][1]
    ]


def every_text(prompt: str, syntax: str) -> list[str]:
    """Return the texts that a prompt may be in a run, however many steps this has."""
    return [text for _, text in edited(prompt, MANY, syntax)]


def _comfyui(marks: Sequence[Piece], weight: float) -> Iterator[Piece]:
    i = 0
    while i < len(marks):
        end = _closing(marks, i) if marks[i].text == "(" else None
        if end is None:
            yield _plain(marks[i], weight)
            i += 1
            continue
        inner, number = _numbered(marks[i + 1 : end])
        yield from _comfyui(inner, weight * STRONGER if number is None else number)
        i = end + 1


def _closing(marks: Sequence[Piece], begin: int) -> int | None:
    """Return where the bracket at ``begin`` is closed; None where it never is."""
    depth = 0
    for i in range(begin, len(marks)):
        depth += {"(": 1, ")": -1}.get(marks[i].text, 0)
        if depth == 0:
            return i
    return None


def _a1111(marks: Sequence[Piece]) -> Iterator[Piece]:
    found: list[Piece] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    for mark in marks:
        match mark.text:
            case "(" | "[":
                opened[mark.text].append(len(found))
            case ")" if opened["("]:
                begin = opened["("].pop()
                inner, number = _numbered(found[begin:])
                found[begin:] = _times(inner, STRONGER if number is None else number)
            case "]" if opened["["]:
                begin = opened["["].pop()
                found[begin:] = _times(found[begin:], 1 / STRONGER)
            case _:
                found.append(_plain(mark, 1.0))
    for begin in opened["("]:
        found[begin:] = _times(found[begin:], STRONGER)
    for begin in opened["["]:
        found[begin:] = _times(found[begin:], 1 / STRONGER)
    yield from found


def _numbered(pieces: Sequence[Piece]) -> tuple[list[Piece], float | None]:
    """Take the number off the end of what stood in brackets, if there is one."""
    *before, last = pieces or [Piece("", 0)]
    match = _WEIGHT.search(last.text)
    if match is None:
        return list(pieces), None
    kept = Piece(last.text[: match.start()], last.start, last.weight)
    return [*before, kept], float(match[1])


def _times(pieces: Sequence[Piece], factor: float) -> list[Piece]:
    return [Piece(piece.text, piece.start, piece.weight * factor) for piece in pieces]


def _plain(mark: Piece, weight: float) -> Piece:
    """Return a mark as text; without the backslash, where one stands before a bracket."""
    is_escape = len(mark.text) == 2 and mark.text[0] == "\\"
    return Piece(mark.text[is_escape:], mark.start + is_escape, weight)


def _touching(prompt: str, pieces: Sequence[Piece]) -> list[list[Piece]]:
    runs: list[list[Piece]] = []
    end = 0
    for piece in pieces:
        touches = prompt[end : piece.start] in ("", "\\")
        if runs and touches and piece.weight == runs[-1][-1].weight:
            runs[-1].append(piece)
        else:
            runs.append([piece])
        end = piece.start + len(piece.text)
    return runs


def _cut(piece: Piece, begin: int, end: int) -> list[Piece]:
    text = piece.text[begin:end]
    return [Piece(text, piece.start + begin, piece.weight)] if text.strip() else []


def _changes(prompt: str, steps: int) -> Iterator[int]:
    """Give the steps at which an edit changes its words, those inside others too."""
    while (match := _EDIT.search(prompt)) is not None:
        yield _when(match[3], steps)
        inside = f"{match[1] or ''} {match[2]}"
        prompt = f"{prompt[: match.start()]}{inside}{prompt[match.end() :]}"


def _at(prompt: str, step: int, steps: int) -> str:
    """Return the words that hold at a step."""
    while (match := _EDIT.search(prompt)) is not None:
        words = (match[1] or "") if step < _when(match[3], steps) else match[2]
        prompt = f"{prompt[: match.start()]}{words}{prompt[match.end() :]}"
    return prompt


def _when(text: str, steps: int) -> int:
    return int(float(text) * steps) if "." in text else int(text)
