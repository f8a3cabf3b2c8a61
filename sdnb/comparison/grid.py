"""A comparison as it is seen: tables of pictures in plain HTML, with labels in words."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import product
from typing import TYPE_CHECKING

from sdnb.comparison.plan import NO_AXIS, Axis, Plan
from sdnb.errors import SdnbError
from sdnb.result import Result, picture_row, quiet_line

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_WIDTH = 128
"""Pictures of a grid are drawn at least this wide, in CSS pixels."""

TO_COME = "…"

_CENTRE = 'style="text-align:center"'


def draw_grid(plan: Plan, cells: Sequence[str]) -> str:
    """Draw tables: the last axis across, the one before it down, a table for the others.

    ``cells`` is the HTML of each cell of the plan, in its order.
    """
    *above, down, across = (NO_AXIS, NO_AXIS, *plan.axes)
    drawn = iter(cells)
    tables = [
        _table(", ".join(filter(None, labels)), down, across, drawn)
        for labels in product(*(axis.captions for axis in above))
    ]
    return "".join(tables)


def draw_result(result: Result, name: str) -> str:
    """Draw a finished cell: its pictures, and what they took."""
    took = quiet_line(f"{result.evaluations} evaluations, {result.seconds:.2g} s")
    return draw_pictures(result.images, name) + took


def draw_pictures(images: Sequence["Image"], name: str) -> str:
    """Draw a cell's pictures; their alternative text is its name in the plan."""
    return picture_row(images, [name] * len(images), width=SHOWN_WIDTH)


def draw_error(error: SdnbError) -> str:
    """Draw what became of a cell that failed."""
    return f"{escape(type(error).__name__)}: {escape(error.what)}"


def _table(caption: str, down: Axis, across: Axis, cells: Iterator[str]) -> str:
    head = "".join(f'<th scope="col" {_CENTRE}>{escape(label)}</th>' for label in across.captions)
    rows = ""
    for label in down.captions:
        row = "".join(f"<td {_CENTRE}>{next(cells)}</td>" for _ in across.labels)
        rows += f'<tr style="background:none"><th scope="row">{escape(label)}</th>{row}</tr>'
    return f"<table><caption>{escape(caption)}</caption><tr><td></td>{head}</tr>{rows}</table>"
