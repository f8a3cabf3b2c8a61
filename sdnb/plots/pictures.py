"""Pictures side by side or in named rows, each with its caption."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from textwrap import wrap

from PIL.Image import Image

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.sheet import PAGE, Sheet

_LETTER = 7.0
"""Pixels that a letter of a caption takes."""


def plot_rows(
    rows: Mapping[str, Sequence[Image]],
    captions: Sequence[str] = (),
    *,
    title: str = "",
) -> Figure:
    """Draw rows of pictures, each row with its name under every picture.

    Parameters
    ----------
    rows : Mapping of str to sequence of PIL images
        Equally many in each row.
    captions : sequence of str
        What stands under each picture of every row, after the row's name.

    Raises
    ------
    InvalidField
        Where rows, or the captions, differ in length.
    """
    counts = {len(row) for row in rows.values()} | ({len(captions)} if captions else set())
    if len(counts) != 1 or counts == {0}:
        raise InvalidField(
            "rows of pictures have one length, and each picture of a row its caption.",
            given=f"rows of {[len(row) for row in rows.values()]}, {len(captions)} captions",
            allowed="rows of one length; as many captions, or none",
            fix='plot_rows({"step 100": pictures})',
        )
    title = title or tr("pictures.title")
    (columns,) = counts
    pictures = [picture for row in rows.values() for picture in row]
    width = max(8, round(PAGE / max(columns, 4) / _LETTER))
    under = [wrap(caption, width) for caption in captions] or [[]] * columns
    said = [_lines((name, *each) if name else each) for name in rows for each in under]
    lines = 1 + max(each.count("<br>") for each in said)
    ratio = pictures[0].height / pictures[0].width
    sheet = Sheet(count=len(pictures), columns=columns, ratio=ratio, lines=lines)
    figure = Figure()
    sheet.write(figure, said)
    placed = [sheet.picture(index, picture) for index, picture in enumerate(pictures)]
    figure.update_layout(images=placed)
    places = [*(tr("pictures.row", name=name) for name in rows if name), *captions]
    shown = ": ".join(filter(None, (tr("pictures.count", count=len(pictures)), ", ".join(places))))
    sheet.page(figure, title=escape(title, quote=False), alt=f"{title}. {shown}")
    return figure


def plot_pictures(
    pictures: Sequence[Image],
    captions: Sequence[str] = (),
    *,
    title: str = "",
    columns: int | None = None,
) -> Figure:
    """Draw pictures of one size side by side, or so many in a row.

    Parameters
    ----------
    captions : sequence of str
        What stands under each, where there are any; of one line or several.
    """
    title, (width, height) = title or tr("pictures.title"), pictures[0].size
    lines = [caption.splitlines() for caption in captions] or [[]] * len(pictures)
    sheet = Sheet.of(len(pictures), ratio=height / width, lines=max(map(len, lines)))
    if columns is not None:
        sheet = replace(sheet, columns=columns)
    figure = Figure()
    sheet.write(figure, [_lines(each) for each in lines])
    drawn = [sheet.picture(index, picture) for index, picture in enumerate(pictures)]
    figure.update_layout(images=drawn)
    told = "; ".join(", ".join(each) for each in lines if each)
    alt = tr("pictures.alt", title=title, count=len(pictures), told=told).strip()
    sheet.page(figure, title=escape(title, quote=False), alt=alt)
    return figure


def _lines(texts: Sequence[str]) -> str:
    return "<br>".join(escape(text, quote=False) for text in texts)
