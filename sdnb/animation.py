"""Films as one file: animated WebP or GIF, with their description in it.

Which frames a result has is in `sdnb.result`.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from sdnb.errors import InvalidField
from sdnb.files import save_new

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".webp", ".gif")


def check(path: str | Path, seconds: Sequence[float]) -> None:
    """Raise `InvalidField` for a file of another kind, or a frame that is never seen."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InvalidField(
            "an animation is a WebP or a GIF file.",
            given=str(path),
            allowed=", ".join(SUFFIXES),
            fix='save_animation("run.webp")',
        )
    if not all(0.01 <= each < 600 for each in seconds):
        raise InvalidField(
            "a frame is shown for a while.",
            given=tuple(seconds),
            allowed="0.01 … 600 seconds",
            fix="frame_seconds=0.15, last_seconds=2",
        )


def write(
    frames: Sequence["Image"], path: str | Path, *, seconds: Sequence[float], description: str
) -> Path:
    """Save frames as an animation that repeats; an existing file is never replaced.

    Parameters
    ----------
    frames : sequence of PIL images
        Of one size.
    path : str or Path
        Ends in one of `SUFFIXES`.
    seconds : sequence of float
        How long each frame is shown.
    description : str
        What it shows, in words: kept as XMP ``dc:description`` in WebP, as the comment of a GIF.

    Returns
    -------
    Path
        The file written: ``run-2.webp`` where there was a ``run.webp``.
    """
    check(path, seconds)
    film = BytesIO()
    is_webp = Path(path).suffix.lower() == ".webp"
    frames[0].save(
        film,
        "WEBP" if is_webp else "GIF",
        save_all=True,
        append_images=list(frames[1:]),
        duration=[round(1000 * each) for each in seconds],
        loop=0,
        **(_webp(description) if is_webp else {"comment": description.encode()}),
    )
    return save_new(path, film.getvalue())


def _webp(description: str) -> dict[str, Any]:
    return {"quality": 90, "xmp": _XMP.format(escape(description)).encode()}


_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>'
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
