"""What a file says of how a picture was made, and how much of that can be had here.

Which kinds of files are read is in `sdnb.records.reading`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from sdnb.records.comfyui_export import Exported, write_workflow
from sdnb.records.report import Line, as_table, as_text, visible
from sdnb.request import GenerationRequest
from sdnb.written import as_python


@dataclass(frozen=True, kw_only=True)
class Recalled:
    """A request that was read from a file, with a report on how well it fits.

    It draws itself as the report and as Python code.

    Parameters
    ----------
    request : GenerationRequest
        What leads to the picture here, as near as it can be.
    index : int
        The picture's place in the batch of the request.
    source : str
        The program that wrote it: ``"sdnb"``, ``"A1111"``, ``"ComfyUI"``.
    path : str
        The file, as it was named.
    lines : tuple of Line
        What was mapped, and what cannot match.
    folder : str
        Where the pictures were found that the file names; empty where none was given.
    """

    request: GenerationRequest
    index: int = 0
    source: str
    path: str
    lines: tuple[Line, ...] = ()
    folder: str = ""

    @property
    def differences(self) -> tuple[Line, ...]:
        """What cannot match here, and why; empty where the picture comes back as it was."""
        return tuple(line for line in self.lines if line.why)

    @property
    def python(self) -> str:
        """The request as code that runs it; pictures are taken from the file."""
        where = f", folder={self.folder!r}" if self.folder else ""
        return as_python(self.request, source=f"sdnb.read({self.path!r}{where}).request")

    def workflow(self) -> Exported:
        """Return a ComfyUI workflow that draws the same, as near as its core nodes can."""
        return write_workflow(self.request)

    def __repr__(self) -> str:
        code = "\n".join(f"  {line}".rstrip() for line in visible(self.python).splitlines())
        return "\n\n".join([self._title, *as_text(self.lines), f"in Python:\n{code}"])

    @property
    def _title(self) -> str:
        place = "" if self.request.batch_size == 1 else f", picture {self.index} of its batch"
        return f"{visible(self.path)}, written by {visible(self.source)}{place}"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": "".join(self._html())}

    def _html(self) -> Iterator[str]:
        yield f"<div class='sdnb-recalled'><div>{escape(self._title)}</div>"
        yield from as_table(self.lines)
        code = escape(visible(self.python))
        yield f"<details><summary>in Python</summary><pre>{code}</pre></details></div>"
