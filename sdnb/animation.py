"""Films as one file: animated WebP or GIF, with their description in it.

Which frames a result has is in `sdnb.result`.
"""

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sdnb.errors import InvalidField
from sdnb.files import save_new

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = {".webp": 16383, ".gif": 65535}
"""Pixels that a frame may have in each direction, by the kind of file."""

_NOT_TEXT = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped (section 2.2)."""


def check(path: str | Path, seconds: Sequence[object]) -> None:
    """Raise `InvalidField` for a file of another kind, or a frame that is never seen."""
    if Path(path).suffix.lower() not in LARGEST:
        raise InvalidField(
            "an animation is a WebP or a GIF file.",
            given=str(path),
            allowed=", ".join(LARGEST),
            fix='save_animation("run.webp")',
        )
    wrong = [each for each in seconds if not (isinstance(each, int | float) and 0.01 <= each < 600)]
    if wrong:
        raise InvalidField(
            "a frame's duration is a number of seconds.",
            given=wrong[0],
            allowed="0.01 or more, less than 600",
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
        Ends as one of `LARGEST`.
    seconds : sequence of float
        How long each frame is shown.
    description : str
        What it shows, in words: kept as XMP ``dc:description`` in WebP, as the comment of a GIF.

    Returns
    -------
    Path
        The file written: ``run-2.webp`` where there was a ``run.webp``.

    Raises
    ------
    InvalidField
        For what `check` refuses, and frames larger than the kind of file can hold.
    """
    check(path, seconds)
    suffix, said = Path(path).suffix.lower(), _NOT_TEXT.sub("", description)
    _check_size(frames[0], suffix)
    film = BytesIO()
    is_webp = suffix == ".webp"
    frames[0].save(
        film,
        "WEBP" if is_webp else "GIF",
        save_all=True,
        append_images=list(frames[1:]),
        duration=[round(1000 * each) for each in seconds],
        loop=0,
        **({"quality": 90, "xmp": xmp(said)} if is_webp else {"comment": said.encode()}),
    )
    return save_new(path, film.getvalue())


def _check_size(frame: "Image", suffix: str) -> None:
    if max(frame.size) > LARGEST[suffix]:
        raise InvalidField(
            "the frames are larger than this kind of file can hold.",
            given=f"{frame.width}x{frame.height} pixels",
            allowed=f"at most {LARGEST[suffix]} pixels in each direction ({suffix})",
            fix="run fewer or smaller images at once",
        )


def xmp(description: str) -> bytes:
    """Return an XMP packet with a description; `ElementTree` gives it back as the only text."""
    return _XMP.format(escape(_NOT_TEXT.sub("", description))).encode()


_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>'
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
