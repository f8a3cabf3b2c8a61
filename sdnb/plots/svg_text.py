"""Text in an SVG: escaped, with the few tags that plotly's texts may hold."""

import re
from html import escape, unescape

Number = int | float
"""What a figure holds where its plot has numbers."""

_TAG = re.compile(r"<(/?)(br|b|i|sub|sup)\s*/?>", re.IGNORECASE)
_STYLING = re.compile(r"</?(?:br|b|i|em|strong|sub|sup|s|u|span|a)\b[^<>]*>", re.IGNORECASE)
_STYLE = {
    "b": 'font-weight="bold"',
    "i": 'font-style="italic"',
    "sub": 'font-size="70%" dy="0.25em"',
    "sup": 'font-size="70%" dy="-0.4em"',
}
_BACK = {"sub": "-0.175em", "sup": "0.28em"}


def attributes(**values: object) -> str:
    """Write attributes, escaped; ``font_size=12`` becomes ``font-size="12"``, None nothing."""
    return "".join(
        f' {name.strip("_").replace("_", "-")}="{escape(_written(value), quote=True)}"'
        for name, value in values.items()
        if value is not None
    )


def element(name: str, **values: object) -> str:
    """Write an element without content."""
    return f"<{name}{attributes(**values)}/>"


def text(x: Number, y: Number, said: str, *, turn: Number = 0, **values: object) -> str:
    """Write a text at a place; ``<br>`` in it starts a line, ``turn`` is in degrees."""
    lines = re.split(r"<br\s*/?>", said, flags=re.IGNORECASE)
    rotated = f"rotate({turn:g} {_written(x)} {_written(y)})" if turn else None
    parts = [
        f"<tspan{attributes(x=x, dy='1.2em' if index else None)}>{_inline(line)}</tspan>"
        for index, line in enumerate(lines)
    ]
    content = "".join(parts) if len(lines) > 1 else _inline(lines[0])
    return f"<text{attributes(x=x, y=y, transform=rotated, **values)}>{content}</text>"


def width_of(said: str, size: Number) -> float:
    """Estimate how wide a text is drawn, in pixels."""
    lines = re.split(r"<br\s*/?>", said, flags=re.IGNORECASE)
    return max(len(plain(line)) for line in lines) * size * 0.56


def plain(said: str) -> str:
    """Return a text without its styling; any other tag is text."""
    return unescape(_STYLING.sub("", said))


def _inline(line: str) -> str:
    written, back, last = [], "", 0
    for tag in _TAG.finditer(line):
        written.append(_shifted(line[last : tag.start()], back))
        last, name = tag.end(), tag[2].lower()
        if tag[1]:
            written.append("</tspan>")
            back = _BACK.get(name, "")
        else:
            written.append(f"<tspan {_STYLE[name]}>")
            back = ""
    written.append(_shifted(line[last:], back))
    joined = "".join(written)
    if joined.count("<tspan") != joined.count("</tspan>"):
        return escape(plain(line))
    return joined


def _shifted(piece: str, back: str) -> str:
    said = escape(plain(piece))
    return f'<tspan dy="{back}">{said}</tspan>' if back and said else said


def _written(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
