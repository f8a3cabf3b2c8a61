"""A request as text that gives it back: flags, a ``%%sd`` cell, Python code.

How flags are read is in `sdnb.magics.options`, the words of a line in `sdnb.magics.words`, a cell
in `sdnb.magics.parse`.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sdnb.embedding import Embedding
from sdnb.hook_use import HookUse
from sdnb.lora import Lora
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture
from sdnb.request import GenerationRequest
from sdnb.steering import Steering

FLAG = re.compile(r"--?[A-Za-z][\w-]*")
"""What a flag looks like."""

VARIABLE = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
"""What stands for a variable of the notebook."""

PICTURED = ("start", "controls", "ip_adapters")
"""Fields of the request with pictures in them."""

NAMING = ("loras", "embeddings", "controls", "ip_adapters")
"""Fields of the request that name files beside the checkpoint."""

_HASHES = ("sha256", "image_encoder")
"""What a run notes of the files that it read."""

_MEANS_MORE = re.compile(
    r"^\s*negative:|^---[ \t]*$|^\s*(?:\[\w+\])?\s*(?:>>>|\.\.\.|In \[)|;\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)
"""What means something in the body of a cell, or is taken out of it: the prompts of a shell."""

_Field = dataclasses.Field[Any]


def quote(text: str) -> str:
    """Write ``text`` so that `sdnb.magics.words.split_words` reads it back as one word."""
    if text and not re.search(r"[\s\"'=]", text) and not FLAG.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def format_flags(request: GenerationRequest, *, beside: GenerationRequest) -> str:
    """Write what differs from ``beside`` as flags that give it back.

    Input pictures have no path any more and cannot be written.
    """
    changed = _changed(request, beside)
    return " ".join(flag for field in changed for flag in _flags(field, request))


def input_files(request: GenerationRequest) -> dict[str, bytes]:
    """Return the pictures that go into a request, as PNG, by the names that texts call them."""
    steering = (*request.controls, *request.ip_adapters)
    pictures = [*_start_pictures(request), *((_kind(each), each.picture) for each in steering)]
    return {_file(kind, picture): picture.png for kind, picture in pictures}


def as_cell(request: GenerationRequest, *, beside: GenerationRequest) -> str:
    """Write a ``%%sd`` cell that asks for the same; empty where no cell can say it.

    That is a text which would be read as something else, and functions that were given to the
    run. Hashes are left out: a cell takes whatever files have their names by then. Pictures are
    read from the names that `input_files` gives.

    Parameters
    ----------
    beside : GenerationRequest
        The notebook's defaults, which hold where a cell says nothing.
    """
    request = without_hashes(request)
    body, said = "", {}
    if _is_literal(request.prompt):
        body, said["prompt"] = request.prompt, beside.prompt
        negative = request.negative_prompt
        if negative != beside.negative_prompt and _is_literal(negative):
            body, said["negative_prompt"] = f"{body}\n---\n{negative}", beside.negative_prompt
    rest = request.changed(**said)
    flags = [flag for field in _changed(rest, beside) for flag in _flags(field, rest)]
    line = " ".join(["%%sd", *flags, *_picture_flags(rest, beside)])
    is_said = all(_reads_back(field, rest) for field in dataclasses.fields(rest))
    cell, is_one_line = f"{line}\n{body}", len(line.splitlines()) == 1
    return cell if is_said and is_one_line and not VARIABLE.search(cell) else ""


def without_hashes(request: GenerationRequest) -> GenerationRequest:
    """Return a request that takes whatever files have the names that it gives."""
    return request.changed(
        **{field: tuple(map(_unhashed, getattr(request, field))) for field in NAMING}
    )


def as_python(request: GenerationRequest, *, source: str = "") -> str:
    """Write code that runs a request; its last line shows the result.

    Parameters
    ----------
    source : str
        Code that gives a request with the same pictures; without it they are read from the names
        that `input_files` gives.
    """
    built_in = GenerationRequest()
    code, classes = dict[str, str](), set[type]()
    for field in dataclasses.fields(request):
        value = getattr(request, field.name)
        if value == getattr(built_in, field.name):
            continue
        if source and field.name in PICTURED:
            code[field.name] = f"{source}.{field.name}"
        else:
            code[field.name] = _start_code(request) if field.name == "start" else _code(value)
            classes |= {type(part) for part in _parts(value) if _needs_class(part)}
    imports = sorted(f"from {kind.__module__} import {kind.__name__}\n" for kind in classes)
    fields = "".join(f"    {name}={text},\n" for name, text in code.items())
    loaded = "" if request.checkpoint is None else repr(request.checkpoint)
    return (
        f"import sdnb\n{''.join(imports)}\npipe = sdnb.load({loaded})\n"
        f"request = sdnb.GenerationRequest(\n{fields})\nresult = pipe.run(request)\nresult"
    )


def comparison_as_cell(
    request: GenerationRequest, rows: Sequence[str], *, beside: GenerationRequest
) -> str:
    """Write a cell that compares as `as_cell` does; ``rows`` are its axes: ``"steps=5,10"``."""
    axes = " ".join(quote(row) if re.search(r"[\s\"']", row) else row for row in rows)
    cell = as_cell(request, beside=beside)
    if len(axes.splitlines()) > 1 or VARIABLE.search(axes):
        return ""
    return cell.replace("%%sd", f"%%sd --compare {axes}", 1) if axes else cell


def comparison_as_python(
    request: GenerationRequest, axes: Iterable[tuple[str, Sequence[object]]]
) -> str:
    """Write code that compares as `as_python` does; its last line shows the comparison."""
    asked, _, _ = as_python(request).rpartition("\nresult = ")
    lists = "".join(
        f", {name}=[{', '.join('None' if each is None else _code(each) for each in values)}]"
        for name, values in axes
    )
    return f"{asked}\ncomparison = sdnb.compare(pipe, request{lists})\ncomparison"


def _unhashed(part: Any) -> Any:
    noted = {name: "" for name in _HASHES if hasattr(part, name)}
    return dataclasses.replace(part, **noted)


def _changed(request: GenerationRequest, beside: GenerationRequest) -> Iterator[_Field]:
    """Give the fields without pictures that differ."""
    for field in dataclasses.fields(request):
        is_other = getattr(request, field.name) != getattr(beside, field.name)
        if is_other and field.name not in PICTURED:
            yield field


def _flags(field: _Field, request: GenerationRequest) -> Iterator[str]:
    for part in _parts(getattr(request, field.name)) or [None]:
        yield f"{field.metadata['flag']} {quote(_text(part))}"


def _picture_flags(request: GenerationRequest, beside: GenerationRequest) -> Iterator[str]:
    if request.start != beside.start:
        yield from ["--image none"] * (request.start == FromNoise())
        for kind, picture in _start_pictures(request):
            yield f"--{kind} {_file(kind, picture)}"
    for kind, each, other in (
        ("--control", request.controls, beside.controls),
        ("--ip-adapter", request.ip_adapters, beside.ip_adapters),
    ):
        if each != other:
            yield from (f"{kind} {quote(_steering_text(part))}" for part in each)
            yield from [f"{kind} none"] * (not each)


def _reads_back(field: _Field, request: GenerationRequest) -> bool:
    """Whether a field's flag gives it back; given functions and odd names have no words."""
    parts = _parts(getattr(request, field.name))
    if field.name == "start":
        return True
    if field.name in PICTURED:
        return not any(re.search(r"[:]|^\s|\s$", part.reference) for part in parts)
    return all(
        part is None or (_text(part) != "none" and field.metadata["parse"](_text(part)) == part)
        for part in parts
    )


def _is_literal(text: str) -> bool:
    """Whether the body of a cell gives a text back."""
    is_bare = text.strip() == text != "" and "\n".join(text.splitlines()) == text
    return is_bare and not _MEANS_MORE.search(text)


def _text(part: object) -> str:
    return "none" if part is None else str(part)


def _parts(value: object) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _code(value: object) -> str:
    if isinstance(value, tuple):
        return f"({''.join(f'{_part_code(part)}, ' for part in value).rstrip()})"
    return repr(value if isinstance(value, str | int | float) else str(value))


def _needs_class(part: object) -> bool:
    """Whether a part of a request cannot be given as text alone."""
    is_noted = isinstance(part, Lora | Embedding) and part.sha256 != ""
    return is_noted or isinstance(part, HookUse | Steering)


def _part_code(part: Any) -> str:
    kind = type(part).__name__
    if not _needs_class(part):
        return repr(str(part))
    if not isinstance(part, Steering):
        return f"{kind}.from_json({part.to_json()!r})"
    named = [field.name for field in dataclasses.fields(part) if field.name != "picture"]
    fields = "".join(f", {name}={getattr(part, name)!r}" for name in named)
    return f"{kind}(picture=sdnb.Picture.read({_file(_kind(part), part.picture)!r}){fields})"


def _start_code(request: GenerationRequest) -> str:
    names = [repr(_file(kind, picture)) for kind, picture in _start_pictures(request)]
    return f"sdnb.{type(request.start).__name__}.read({', '.join(names)})"


def _start_pictures(request: GenerationRequest) -> Iterator[tuple[str, Picture]]:
    """Give what a request starts from, each after its flag."""
    start = request.start
    if isinstance(start, FromImage | Inpaint):
        yield "image", start.picture
    if isinstance(start, Inpaint):
        yield "mask", start.mask


def _steering_text(part: Steering) -> str:
    return f"{_file(_kind(part), part.picture)}:{part}"


def _kind(part: Steering) -> str:
    return part.FLAG.split()[0].removeprefix("--")


def _file(kind: str, picture: Picture) -> str:
    return f"sdnb-{kind}-{picture.sha256[:8]}.png"
