"""What a saved comparison carries beside its pictures: every cell's request, to be read back.

How it looks is in `sdnb.comparison.poster`.
"""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import PIL.Image
from PIL.PngImagePlugin import PngInfo

from sdnb import animation
from sdnb.comparison.plan import NO_HOOKS, Cell, Plan, label
from sdnb.errors import SdnbError
from sdnb.picture_file import read_info, read_json, software, unreadable
from sdnb.request import JSON, GenerationRequest
from sdnb.result import Result

FORMAT = 1
"""Version of what is written."""

CHUNK = "sdnb-comparison"
"""Text chunk of a PNG; a WebP has the same text as the last line of its XMP description."""

Outcome = Result | SdnbError | None
"""What became of a cell; None: it is still to come."""


def describe(plan: Plan, outcomes: Sequence[Outcome], numbers: Sequence[int]) -> JSON:
    """Return some of a plan's cells as plain values: labels, requests, what they took.

    What all their requests have in common is said once.
    """
    requests = {number: _request(plan.cells[number], outcomes[number]) for number in numbers}
    first = next(iter(requests.values()))
    common = {
        name: value
        for name, value in first.items()
        if all(each[name] == value for each in requests.values())
    }
    cells = [
        {
            "labels": list(plan.cells[number].labels),
            "request": {name: value for name, value in each.items() if name not in common},
            **_facts(plan.cells[number], outcomes[number]),
        }
        for number, each in requests.items()
    ]
    return {
        "version": FORMAT,
        "axes": [{"name": axis.name, "labels": list(axis.labels)} for axis in plan.axes],
        "request": common,
        "cells": cells,
        "software": software(),
    }


def _request(cell: Cell, outcome: Outcome) -> JSON:
    """Return what was run, with seed and size resolved; of another cell, what was asked."""
    return (outcome.request if isinstance(outcome, Result) else cell.request).to_json()


def _facts(cell: Cell, outcome: Outcome) -> JSON:
    hooks = {"hooks": label(cell.hooks)} if cell.hooks != NO_HOOKS else {}
    if isinstance(outcome, Result):
        took = {"evaluations": outcome.evaluations, "seconds": round(outcome.seconds, 3)}
        return {**took, **hooks}
    return {"error": in_words(outcome), **hooks}


def in_words(outcome: Outcome) -> str:
    """Say what became of a cell that has no picture."""
    if isinstance(outcome, SdnbError):
        return f"{type(outcome).__name__}: {outcome.what}"
    return "not computed" if outcome is None else "no picture"


def encode(image: PIL.Image.Image, suffix: str, *, caption: str, values: JSON) -> bytes:
    """Return a picture as the bytes of a ``.png`` or ``.webp`` file, with what it carries."""
    file, text = BytesIO(), json.dumps(values)
    if suffix == ".png":
        chunks = PngInfo()
        chunks.add_text("Description", caption)
        chunks.add_text(CHUNK, text)
        image.save(file, "PNG", pnginfo=chunks)
    else:
        image.save(file, "WEBP", quality=90, xmp=animation.xmp(f"{caption}\n{text}"))
    return file.getvalue()


def read_comparison(path: str | Path) -> dict[tuple[str, ...], GenerationRequest]:
    """Return the request of each cell of a saved comparison, by the cell's label on each axis.

    Of a comparison in several files: those of this one. Functions that were given to runs as
    hooks are recorded by name only.

    Raises
    ------
    InvalidField
        When the file is not there, or carries no comparison that can be read.
    """
    text = _text(path)
    try:
        values = read_json(text)
        if values["version"] > FORMAT:
            raise unreadable(path, "this comparison was saved by a newer sdnb", "upgrade sdnb")
        return {
            tuple(cell["labels"]): GenerationRequest.from_json(values["request"] | cell["request"])
            for cell in values["cells"]
        }
    except SdnbError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable(path, "this picture carries no comparison") from error


def _text(path: str | Path) -> str:
    info = read_info(path, ("PNG", "WebP"))
    if "xmp" not in info:
        return str(info.get(CHUNK, ""))
    try:
        said = "".join(ElementTree.fromstring(info["xmp"]).itertext())
    except ElementTree.ParseError as error:
        raise unreadable(path, "the description in this picture is damaged") from error
    return said.rpartition("\n")[2]
