"""A request as text that gives it back: flags, a ``%%sd`` cell, a call in Python.

How flags are read is in `sdnb.magics.options`, and the words of a line in `sdnb.magics.words`.
"""

import dataclasses
import re

from sdnb.picture import FromImage, Inpaint
from sdnb.request import GenerationRequest

FLAG = re.compile(r"--?[A-Za-z][\w-]*")
"""What a flag looks like."""

PICTURED = ("start", "controls", "ip_adapters")
"""Fields of the request with pictures in them."""

_BODY = re.compile(r"^(\s*negative:|---[ \t]*$)|;\s*\Z", re.IGNORECASE | re.MULTILINE)
"""What means something in the body of a cell."""


def quote(text: str) -> str:
    """Write ``text`` so that `sdnb.magics.words.split_words` reads it back as one word."""
    if text and not re.search(r"[\s\"'=]", text) and not FLAG.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_flags(request: GenerationRequest, *, beside: GenerationRequest) -> str:
    """Write what differs from ``beside`` as flags that give it back.

    Input pictures have no path any more and cannot be written.
    """
    texts = []
    for field in dataclasses.fields(request):
        value = getattr(request, field.name)
        if value == getattr(beside, field.name) or field.name in PICTURED:
            continue
        parts = (value or [None]) if field.metadata["many"] else [value]
        texts += [f"{field.metadata['flag']} {quote(_written(part))}" for part in parts]
    return " ".join(texts)


def input_files(request: GenerationRequest) -> dict[str, bytes]:
    """Return the pictures a request starts from, as PNG, by the names that texts call them."""
    start = request.start
    pictures = {"image": start.picture} if isinstance(start, FromImage | Inpaint) else {}
    if isinstance(start, Inpaint):
        pictures["mask"] = start.mask
    return {f"sdnb-{name}-{each.sha256[:8]}.png": each.png for name, each in pictures.items()}


def as_cell(request: GenerationRequest) -> str:
    """Write a ``%%sd`` cell that draws the same with the same checkpoint.

    Pictures to start from are read from the names that `input_files` gives. Double braces in a
    prompt are a variable's there: what stands between them has to be defined.
    """
    plain = request.changed(checkpoint=None)
    is_body = not _BODY.search(request.prompt) and request.prompt == request.prompt.strip() != ""
    plain = plain.changed(prompt="" if is_body else " ".join(request.prompt.split()))
    files = zip(("--image", "--mask"), input_files(request), strict=False)
    flags = [format_flags(plain, beside=GenerationRequest())]
    flags += [f"{flag} {quote(name)}" for flag, name in files]
    line = " ".join(["%%sd", *filter(None, flags)])
    return f"{line}\n{request.prompt}" if is_body else f"{line}\n"


def as_python(request: GenerationRequest) -> str:
    """Write a call that draws the same; pictures as in `as_cell`."""
    default = GenerationRequest()
    names = list(input_files(request))
    lines = [repr(request.prompt)]
    for field in dataclasses.fields(request):
        value = getattr(request, field.name)
        if field.name in ("prompt", "checkpoint", *PICTURED) or value == getattr(
            default, field.name
        ):
            continue
        lines.append(f"{field.name}={_literal(value)}")
    if names:
        kind = "FromImage" if len(names) == 1 else "Inpaint"
        lines.append(f"start=sdnb.{kind}.read({', '.join(map(repr, names))})")
    asked = "".join(f"    {line},\n" for line in lines)
    loaded = request.checkpoint or "tiny"
    return f"import sdnb\n\npipe = sdnb.load({loaded!r})\nresult = pipe.run(\n{asked})\nresult\n"


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return repr(tuple(map(str, value)))
    return repr(value) if isinstance(value, str | int | float | None) else repr(str(value))


def _written(value: object) -> str:
    return "none" if value is None else str(value)
