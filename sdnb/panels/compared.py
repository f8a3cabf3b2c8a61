"""What there is to see of a comparison: its grid and its flip book."""

import re
from collections.abc import Sequence
from html import escape
from math import sqrt
from typing import TYPE_CHECKING

from sdnb.comparison.grid import draw_grid
from sdnb.errors import SdnbError
from sdnb.i18n import tr
from sdnb.panels.pictures import image_html, jpeg, slots
from sdnb.result import Result

if TYPE_CHECKING:
    from PIL.Image import Image

    import sdnb.comparison.compare
    import sdnb.comparison.flip_book
    import sdnb.comparison.plan
    import sdnb.labs.seen_cells

WIDEST = 192
"""Pixels of a picture's longer side in the grid, at most."""

ROOM = 2**22
"""Pixels of all pictures on one sheet, about, at most."""

MANY = 30
"""With more cells than these, a saved notebook keeps smaller pictures of them."""


def sheet_of(
    cells: "Sequence[sdnb.labs.seen_cells.SeenCell]",
    book: "sdnb.comparison.flip_book.FlipBook | None",
) -> tuple[bytes, dict[str, object]]:
    """Lay all pictures on one sheet, moment by moment; returns it, and how to cut it."""
    pages = [[cell.image for cell in cells]] if book is None else [*map(_pictures, book.pages)]
    frames = [frame for page in pages for frame in page]
    widest = min(WIDEST, int(sqrt(ROOM / max(1, len(frames)))))
    return slots(frames, widest=widest)


def cells_view(
    comparison: "sdnb.comparison.compare.Comparison",
    cells: "Sequence[sdnb.labs.seen_cells.SeenCell]",
    book: "sdnb.comparison.flip_book.FlipBook | None",
    frames: dict[str, object],
) -> dict[str, object]:
    """Return the grid as a view of a board."""
    moments = ("picture",) if book is None else book.moments
    return {
        "kind": "cells",
        "name": "cells",
        "axes": [_axis(axis) for axis in comparison.plan.axes],
        "cells": [*map(_cell, cells)],
        "frames": frames,
        "moments": [*map(_moment, moments)],
        "texts": {"all": tr("compare.all"), "moment": tr("compare.moment")},
    }


def kept_grid(
    comparison: "sdnb.comparison.compare.Comparison",
    cells: "Sequence[sdnb.labs.seen_cells.SeenCell]",
) -> str:
    """Return the grid as HTML that needs no kernel."""
    widest = 128 if len(cells) <= MANY else 64
    return draw_grid(comparison.plan, [_kept(cell, widest) for cell in cells])


def _pictures(page: "Sequence[Image | str]") -> "list[Image | None]":
    return [None if isinstance(picture, str) else picture for picture in page]


def _axis(axis: "sdnb.comparison.plan.Axis") -> dict[str, object]:
    labels = [*map(_short, axis.labels)]
    captions = [f"{axis.name} {label}".strip() for label in labels]
    return {"name": axis.name, "labels": labels, "captions": captions}


def _cell(cell: "sdnb.labs.seen_cells.SeenCell") -> dict[str, object]:
    match cell.outcome:
        case Result() as result:
            said = tr(
                "compare.took", evaluations=result.evaluations, seconds=f"{result.seconds:.2g}"
            )
            return _told(cell, "finished", said)
        case SdnbError() as error:
            return _told(cell, "failed", error.what)
    return _told(
        cell, "to_come" if cell.image is None else "sketch" if cell.is_sketch else "running", ""
    )


def _told(cell: "sdnb.labs.seen_cells.SeenCell", state: str, said: str) -> dict[str, object]:
    return {
        "label": tr(f"compare.cell_{state}", name=cell.name),
        "state": state,
        "said": said,
        "is_open": state == "finished",
    }


def _moment(text: str) -> str:
    """Say which moment of the runs it is, in the language that is set; steps count from 1."""
    if step := re.fullmatch(r"step (\d+)", text):
        return tr("compare.step", step=int(step[1]) + 1)
    if share := re.match(r"(\d+) %", text):
        return tr("compare.share", share=share[1])
    return tr("compare.picture")


def _kept(cell: "sdnb.labs.seen_cells.SeenCell", widest: int) -> str:
    if isinstance(cell.outcome, SdnbError):
        return escape(_short(cell.outcome.what))
    if cell.image is None:
        return "…"
    style = f"width:{max(96, widest)}px;border-radius:3px"
    return image_html(jpeg(cell.image, widest=widest), cell.name, style)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
