"""``%sd recall``: how a picture was made, and the next cell filled in to draw it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from sdnb.errors import SdnbError
from sdnb.magics.command import Call, CommandFlag, misused, read_flags
from sdnb.magics.parse import Order, parse_cell
from sdnb.request import GenerationRequest
from sdnb.written import format_flags

if TYPE_CHECKING:
    import sdnb.records.recalled


RECALL_FLAGS = (
    CommandFlag(
        name="--folder",
        takes="DIR",
        help="where the input pictures are that a workflow names",
        example="ComfyUI/input",
    ),
)


def recall(call: Call) -> "sdnb.records.recalled.Recalled":
    """Read a file, and write the cell that draws what it says."""
    if not call.words or call.words[0].is_flag:
        raise misused(
            "recall",
            call,
            "%sd recall FILE, or #7: number 7 of %sd history",
            "%sd recall sdnb-7.png",
        )
    from sdnb.records.reading import read

    flags = read_flags(replace(call, words=call.words[1:]), "recall", RECALL_FLAGS)
    folder = str(flags["folder"]) if "folder" in flags else None
    recalled = read(_path(call.words[0].text), folder=folder)
    cell = as_cell(recalled.request, call.session.defaults)
    shell = get_ipython()
    if shell is not None:
        shell.set_next_input(cell or f"{recalled.python}\nresult")
    return recalled


def _path(text: str) -> "str | Path":
    """Return a file's path; ``#7`` is the first picture of number 7 in the history."""
    if not text.removeprefix("#").isdecimal() or not text.startswith("#"):
        return text
    from sdnb.records.history import history

    return history.open(int(text[1:])).pictures[0].file


def as_cell(request: GenerationRequest, defaults: Order) -> str:
    """Write a request as a ``%%sd`` cell beside these defaults; empty where no cell can say it.

    A cell has no words for pictures without a file, nor for a prompt that would be read as
    something else.
    """
    bare = request.changed(prompt="", negative_prompt="")
    built_in = defaults.request.changed(prompt="", negative_prompt="")
    flags = format_flags(bare, beside=built_in)
    negative = f"\n---\n{request.negative_prompt}" if request.negative_prompt else ""
    line, body = f"%%sd {flags}".rstrip(), f"{request.prompt}{negative}"
    try:
        read = parse_cell(line.removeprefix("%%sd"), body, defaults, {})
    except SdnbError:
        return ""
    is_silent = body.rstrip().endswith(";")
    return f"{line}\n{body}" if read.request == request and not is_silent else ""
