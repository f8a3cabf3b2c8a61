"""``%sd recall``: how a picture was made, and the next cell filled in to draw it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.getipython import get_ipython

from sdnb.magics.command import Call, CommandFlag, misused, read_flags
from sdnb.request import GenerationRequest
from sdnb.written import as_cell, input_files

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
    shell = get_ipython()
    if shell is not None:
        shell.set_next_input(_next_cell(recalled, call.session.defaults.request))
    return recalled


def _next_cell(recalled: "sdnb.records.recalled.Recalled", defaults: GenerationRequest) -> str:
    """Write what draws the request: flags and prompt, or Python where no cell can say it.

    Pictures that stand in the file have no path that a flag could name.
    """
    has_pictures = bool(input_files(recalled.request))
    cell = "" if has_pictures else as_cell(recalled.request, beside=defaults)
    return cell or recalled.python


def _path(text: str) -> "str | Path":
    """Return a file's path; ``#7`` is the first picture of number 7 in the history."""
    if not text.removeprefix("#").isdecimal() or not text.startswith("#"):
        return text
    from sdnb.records.history import history

    return history.open(int(text[1:])).pictures[0].file
