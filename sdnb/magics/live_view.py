"""How a run looks while it goes on: plain HTML that needs no widget, in light and dark."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from sdnb.i18n import tr
from sdnb.result import SHOWN_WIDTH

if TYPE_CHECKING:
    import PIL.Image

MOST_PICTURES = 4
"""Pictures of a batch that a preview shows."""

_TEXT = "font-family:var(--jp-ui-font-family,sans-serif);font-size:var(--jp-ui-font-size1,13px);"
_COLOUR = "color:var(--jp-ui-font-color1,inherit);"
_BAR = "height:6px;max-width:32em;margin:4px 0;background:var(--jp-border-color2,#9994);"
_FILL = "height:100%;background:var(--jp-brand-color1,#1976d2);"
_ROW = "display:flex;flex-wrap:wrap;gap:6px;margin-top:4px;"
_PICTURE = f"min-width:{SHOWN_WIDTH}px;max-width:100%;border-radius:3px"


def message(text: str) -> str:
    """Return a line of text, such as what is being loaded."""
    return f'<div role="status" style="{_TEXT}{_COLOUR}">{escape(text)}</div>'


def progress(done: int, total: int | None, about: str, elapsed: float) -> str:
    """Return bar and figures.

    Parameters
    ----------
    total : int or None
        How many steps there are; None where the sampler decides on the way.
    about : str
        What else there is to say: ``"sigma 3.14"``.
    elapsed : float
        Seconds since the first step began.
    """
    text = f"{_place(done, total)} · {about} · {_time(done, total, elapsed)}"
    inner = f"{_bar(done, total, text)}<div>{escape(text)}</div>"
    return f'<div style="{_TEXT}{_COLOUR}">{inner}</div>'


def pictures(images: "Sequence[PIL.Image.Image]") -> str:
    """Return the first pictures of a batch, side by side, as light as previews may be."""
    row = "".join(
        f'<img alt="{escape(tr("live.preview", number=number))}" src="{_data_uri(image)}"'
        f' style="{_PICTURE}">'
        for number, image in enumerate(images[:MOST_PICTURES], start=1)
    )
    return f'<div style="{_ROW}">{row}</div>' if row else ""


def _bar(done: int, total: int | None, text: str) -> str:
    # without a known end the bar has no value: assistive technology then says "busy"
    value = "" if total is None else f' aria-valuemax="{total}" aria-valuenow="{done}"'
    share = 100 if total is None else 100 * done / total
    fill = f'<div style="{_FILL}width:{share:.0f}%"></div>'
    return (
        f'<div role="progressbar" aria-label="{escape(tr("live.drawing"))}" aria-valuemin="0"'
        f'{value} aria-valuetext="{escape(text)}" style="{_BAR}">{fill}</div>'
    )


def _place(done: int, total: int | None) -> str:
    if total is None:
        return tr("live.step", step=done)
    return tr("live.step_of", step=done, total=total)


def _time(done: int, total: int | None, elapsed: float) -> str:
    if total is None:
        return tr("live.so_far", time=_duration(elapsed))
    return tr("live.left", time=_duration(elapsed / done * (total - done)))


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _data_uri(image: "PIL.Image.Image") -> str:
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
