"""One text as characters, words and tokens, and how much of the encoder's room it fills."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any

from sdnb.conditioning import Token
from sdnb.embedding import Embedding
from sdnb.errors import InvalidField, UnknownName
from sdnb.models.text import NOWHERE, tokenize, unknown_words
from sdnb.pipeline import Pipeline
from sdnb.prompt import SYNTAXES
from sdnb.result import quiet_line

MARKS = 2
"""Positions of a chunk that are no text: its start mark and its first end mark."""

MOST, FEW = 600, 12
"""Characters, words or tokens that are drawn of a long text, and chunks."""

_BOX = (
    "display:inline-block;border:1px solid rgba(128,128,128,.55);border-radius:3px;"
    "margin:1px;padding:0 3px;text-align:center;vertical-align:top"
)
_GROUP = (
    "display:inline-block;border-bottom:3px solid {};margin:1px 3px;padding:1px;vertical-align:top"
)
_HUES = ("#0072B2", "#D55E00")  # in turn: that pieces belong together, the line under them says
_CELL = (
    "display:inline-block;width:5px;height:12px;margin:0 1px 0 0;"
    "box-sizing:border-box;border:1px solid {};background:{}"
)
_FILLS = {"mark": ("#7a7a7a", "#7a7a7a"), "text": ("#0072B2", "#0072B2"), "free": ("#7a7a7a", "")}


@dataclass(frozen=True, kw_only=True)
class Split:
    """A text and its tokens; it draws itself.

    Parameters
    ----------
    encoder : str
        The text encoder whose tokens they are, by its folder's name.
    chunks : tuple of tuples of Token
        Each as many as the encoder has positions, with marks and padding.
    unknown : tuple of str
        Words that a small model was never taught.
    """

    text: str
    encoder: str
    chunks: tuple[tuple[Token, ...], ...]
    unknown: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Those that are text, of all chunks."""
        return tuple(token for token in chain(*self.chunks) if token.span != NOWHERE)

    @property
    def words(self) -> tuple[tuple[Token, ...], ...]:
        """The tokens of each word: its last one ends in ``</w>``."""
        found: list[list[Token]] = [[]]
        for token in self.tokens:
            found[-1].append(token)
            if token.text.endswith("</w>"):
                found.append([])
        return tuple(tuple(word) for word in found if word)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many positions of each chunk are text."""
        return tuple(sum(token.span != NOWHERE for token in chunk) for chunk in self.chunks)

    @property
    def room(self) -> int:
        """How many tokens of text a chunk can hold."""
        return len(self.chunks[0]) - MARKS

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} of {self.room}" for count in self.counts)
        return (
            f"<Split: {len(self.text)} characters, {len(self.words)} words, "
            f"{len(self.tokens)} tokens ({counts})>"
        )

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        pieces = [_pieces(word, _HUES[i % len(_HUES)]) for i, word in enumerate(self.words)]
        rows = [
            (f"{len(self.text)} characters", _some([*map(_character, self.text[: MOST + 1])])),
            (f"{len(self.words)} words", _some([*map(self._word, self.words)])),
            (f"{len(self.tokens)} tokens, with their ids", _some(pieces)),
        ]
        rows += [
            (f"{count} of {self.room} places", _meter(chunk, count) + _marks(chunk, count))
            for chunk, count in list(zip(self.chunks, self.counts, strict=True))[:FEW]
        ]
        body = "".join(
            f'<tr><th scope="row" style="text-align:left;white-space:nowrap">{name}</th>'
            f'<td style="text-align:left">{shown}</td></tr>'
            for name, shown in rows
        )
        unknown = f"never taught: {', '.join(self.unknown)}" if self.unknown else ""
        html = f"<table>{body}</table>{quiet_line(unknown) if unknown else ''}"
        return {"text/plain": self._plain(), "text/html": html}

    def spelling(self, word: Sequence[Token]) -> str:
        """Return a word as it stands in the text."""
        return self.text[word[0].span[0] : word[-1].span[1]]

    def _word(self, word: tuple[Token, ...]) -> str:
        return f'<span style="{_BOX}">{escape(self.spelling(word))}</span>'

    def _plain(self) -> str:
        pieces = " ".join(f"{token.text}({token.id})" for token in self.tokens)
        return f"{self!r}\n{pieces}"


def split_text(
    pipe: Pipeline,
    text: str,
    *,
    syntax: str = "comfyui",
    encoder: int = 0,
    embeddings: Sequence[Embedding] = (),
) -> Split:
    """Split a text as a text encoder of the checkpoint does.

    Words that change on the way of a run, ``[from:to:0.4]``, stand here as they are written.

    Parameters
    ----------
    syntax : str
        What brackets mean: one of `sdnb.prompt.SYNTAXES`.
    encoder : int
        Which of the checkpoint's text encoders, from 0.
    embeddings : sequence of Embedding
        Files of those that the text names; others are looked for in model folders.

    Raises
    ------
    InvalidField, UnknownName, LoadError
        For an encoder that the checkpoint has not, an unknown syntax, an embedding that is missing.
    """
    check_encoder(pipe, encoder)
    UnknownName.check("syntax", syntax, SYNTAXES)
    parts, asked = pipe.components, pipe.components.texts[encoder]
    with pipe.turn():
        named = parts.embeddings.resolved(embeddings, [text], syntax)
        learned = parts.embeddings.learned(named, asked.spec.folder)
    (row,) = tokenize(asked, [text], syntax, learned)
    positions = asked.tokenizer.model_max_length
    return Split(
        text=text,
        encoder=asked.spec.folder,
        chunks=tuple(row[i : i + positions] for i in range(0, len(row), positions)),
        unknown=unknown_words(parts, text, syntax, named),
    )


def check_encoder(pipe: Pipeline, encoder: int) -> None:
    """Raise `InvalidField` for a text encoder that the checkpoint has not."""
    count = len(pipe.components.texts)
    if not 0 <= encoder < count:
        raise InvalidField(
            "the checkpoint has no such text encoder.",
            given=encoder,
            allowed=f"0 … {count - 1}",
            fix="encoder=0 is the first",
        )


def _some(boxes: Sequence[str]) -> str:
    more = " …" if len(boxes) > MOST else ""
    return "".join(boxes[:MOST]) + more


def _character(character: str) -> str:
    return f'<span style="{_BOX}">{escape(character).replace(" ", "&nbsp;")}</span>'


def _pieces(word: tuple[Token, ...], hue: str) -> str:
    boxes = "".join(
        f'<span style="{_BOX}">{escape(token.text)}<br>'
        f'<span style="font-size:85%;opacity:.75">{token.id}</span></span>'
        for token in word
    )
    return f'<span style="{_GROUP.format(hue)}">{boxes}</span>'


def _meter(chunk: tuple[Token, ...], count: int) -> str:
    """Draw each position of a chunk: grey marks, blue text, empty padding."""
    kinds = ["mark", *["text"] * count, "mark", *["free"] * (len(chunk) - count - MARKS)]
    cells = "".join(f'<span style="{_CELL.format(*_FILLS[kind])}"></span>' for kind in kinds)
    said = f"{count} of {len(chunk) - MARKS} places for text are filled"
    return f'<div role="img" aria-label="{said}" style="line-height:0">{cells}</div>'


def _marks(chunk: tuple[Token, ...], count: int) -> str:
    """Say which tokens stand at the start, at the end and in the places left over."""
    end, free = chunk[count + 1], chunk[count + MARKS :]
    told = [f"start {_told(chunk[0])}", f"end {_told(end)}"]
    told += [f"{len(free)} × padding {_told(free[0])}"] if free else []
    return quiet_line(", ".join(told))


def _told(token: Token) -> str:
    return f"{token.text} {token.id}"
