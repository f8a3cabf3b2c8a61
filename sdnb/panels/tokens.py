"""A text and its tokens, side by side, as a view of a board and as what is kept of it."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from sdnb.i18n import tr

if TYPE_CHECKING:
    import sdnb.comparison.tokens
    import sdnb.conditioning

FEW = 8
"""Chunks of a long text that are drawn, at most."""

_BOX = (
    "display:inline-block;border:1px solid rgba(128,128,128,.55);border-radius:3px;"
    "margin:0 3px 3px 0;padding:1px 4px;text-align:center;vertical-align:top"
)

Block = dict[str, object]


def tokens_view(split: "sdnb.comparison.tokens.Split") -> dict[str, object]:
    """Return the words of a text, each with its letters and tokens, as a view of a board."""
    counts = {"characters": len(split.text), "words": len(split.words), "tokens": len(split.tokens)}
    chunks, many = list(zip(split.chunks, split.counts, strict=True)), len(split.chunks)
    limits = [tr("text.more", count=FEW)] * (many > FEW) + [tr("text.first")] * (many > 1)
    return {
        "kind": "tokens",
        "name": "tokens",
        "label": tr("text.counts", **counts),
        "chunks": [
            {
                "label": tr("text.chunk", number=number, count=many) if many > 1 else "",
                "blocks": _blocks(split, chunk, count),
                "places": len(chunk),
                "filled": count,
                "said": tr("text.places", count=count, room=split.room, places=len(chunk)),
            }
            for number, (chunk, count) in enumerate(chunks[:FEW], 1)
        ],
        "more": " ".join(limits),
    }


def kept_tokens(view: Mapping[str, object]) -> str:
    """Return HTML of what `tokens_view` shows, for a reader without a kernel."""
    parts = [f"<div>{escape(str(view['label']))}</div>"]
    for chunk in _listed(view["chunks"]):
        tokens = "".join(
            f'<span style="{_BOX}">{escape(str(token["text"]))}<br>'
            f'<span style="font-size:85%;opacity:.75">{escape(_under(block, token))}</span></span>'
            for block in _listed(chunk["blocks"])
            for token in _listed(block["tokens"])
        )
        said = escape(f"{chunk['label']} {chunk['said']}".strip())
        parts.append(f'<div>{tokens}</div><div style="font-size:90%">{said}</div>')
    return "".join(parts)


def _blocks(
    split: "sdnb.comparison.tokens.Split",
    chunk: "tuple[sdnb.conditioning.Token, ...]",
    count: int,
) -> list[Block]:
    """Return the words of a chunk between its marks; what is left over is counted, not drawn."""
    words: list[list[sdnb.conditioning.Token]] = [[]]
    for token in chunk[1 : count + 1]:
        words[-1].append(token)
        if token.text.endswith("</w>"):
            words.append([])
    shown = [_word(split.spelling(word), word) for word in words if word]
    start, end, *free = chunk[0], *chunk[count + 1 :]
    padding = [_mark(tr("text.padding", count=len(free)), free[0])] if free else []
    return [_mark(tr("text.start"), start), *shown, _mark(tr("text.end"), end), *padding]


def _word(text: str, tokens: "list[sdnb.conditioning.Token]") -> Block:
    return {"word": text, "characters": list(text), "tokens": [*map(_token, tokens)]}


def _mark(said: str, token: "sdnb.conditioning.Token") -> Block:
    return {"word": said, "characters": [], "tokens": [_token(token)], "is_mark": True}


def _token(token: "sdnb.conditioning.Token") -> dict[str, object]:
    weight = "" if token.weight == 1 else f" × {token.weight:.3g}"
    name = token.id if token.id >= 0 else tr("text.learned")
    return {"text": token.text, "id": f"{name}{weight}"}


def _under(block: Block, token: Block) -> str:
    return f"{token['id']} · {block['word']}" if block.get("is_mark") else str(token["id"])


# A view's parts are plain values, of which Python knows no more.
def _listed(values: object) -> list[Block]:
    return values if isinstance(values, list) else []
