"""Pictures in rows, each with its caption."""

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap

from PIL.Image import Image

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.sheet import PAGE, Sheet

_LETTER = 7.0
"""Pixels that a letter of a caption takes."""


def plot_pictures(
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
            fix='plot_pictures({"step 100": pictures})',
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


def _lines(texts: Sequence[str]) -> str:
    return "<br>".join(escape(text, quote=False) for text in texts)
