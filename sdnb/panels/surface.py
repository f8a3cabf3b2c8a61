"""The widget of a panel: plain values out, messages in. How it looks is in ``front/``."""

from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

from anywidget import AnyWidget
from traitlets import Bytes, Dict, List, Unicode

_FRONT = Path(__file__).with_name("front")

SCRIPT = "\n".join(
    (_FRONT / f"{name}.js").read_text(encoding="utf-8")
    for name in (
        *("dom", "form", "strip", "controls", "stage"),
        *("board", "views", "chart", "levels", "grids", "numbers", "frames", "cells", "gallery"),
        *("tokens", "clouds"),
        "surface",
    )
)
"""One module of JavaScript."""

STYLE = (_FRONT / "surface.css").read_text(encoding="utf-8")


class Surface(AnyWidget):
    """What the page shows, as plain values.

    Attributes
    ----------
    place : str
        Class of the element in an output where the surface appears.
    stage : str
        What stands beside the form: ``"studio"``, a run that is held, or ``"board"``, views.
    texts : dict
        Words that the page itself needs, by key.
    fields, actions, keeps : list
        What can be typed, done, and done with the picture.
    main : str
        What Ctrl+Enter does.
    values, errors, notes : dict
        By field: what is typed, what is wrong with it, what there is to say.
    status : dict
        How far the run is, and what can be done now.
    picture, about : bytes, dict
        A JPEG, and what it is; ``about`` comes with each picture.
    strip, film : bytes, dict
        All steps as one JPEG, and how to cut it.
    views, data : list, bytes
        What a board shows: each with its ``kind`` and ``name``; and the bytes of its maps.
    clips : dict
        Texts to copy.
    guests : list of str
        Places of other panels that this one opened, below it.
    """

    _esm = SCRIPT
    _css = STYLE

    place = Unicode().tag(sync=True)
    stage = Unicode("studio").tag(sync=True)
    texts = Dict().tag(sync=True)
    fields: "List[object]" = List().tag(sync=True)
    actions: "List[object]" = List().tag(sync=True)
    keeps: "List[object]" = List().tag(sync=True)
    main = Unicode("generate").tag(sync=True)
    values = Dict().tag(sync=True)
    errors = Dict().tag(sync=True)
    notes = Dict().tag(sync=True)
    status = Dict({"headline": "", "figures": ""}).tag(sync=True)
    picture = Bytes().tag(sync=True)
    about = Dict().tag(sync=True)
    strip = Bytes().tag(sync=True)
    film = Dict().tag(sync=True)
    views: "List[object]" = List().tag(sync=True)
    data = Bytes().tag(sync=True)
    clips = Dict().tag(sync=True)
    guests: "List[object]" = List().tag(sync=True)

    def __init__(self, **values: object) -> None:
        self._turn = RLock()  # a lab's thread and the kernel's both have news
        super().__init__(**values)

    def hear(self, told: Callable[[dict[str, Any], list[memoryview]], None]) -> None:
        """Call a function with each message of the page, also while a cell runs."""
        self.on_msg(lambda _widget, message, buffers: told(message, buffers or []))
        # ipykernel >= 7.1 else sends messages to the shell that published last: a busy one
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None

    def show(self, **news: object) -> None:
        """Set several values in one message, whatever other threads show meanwhile."""
        with self._turn, self.hold_sync():
            for name, value in news.items():
                setattr(self, name, value)
