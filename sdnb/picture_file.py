"""Picture files that carry their whole request: PNG, WebP and JPEG, written and read.

Two texts stand beside the pixels: ``sdnb``, the request as JSON, and ``parameters``, the form that
most tools for Stable Diffusion read (`sdnb.parameters_text`). A PNG has text chunks for them; a
WebP the maker's note and the user's comment of its Exif data; a JPEG, whose Exif data is short,
segments of its own in place of the note.

Which images of a Result get which path is in `sdnb.result`; what the texts say, in
`sdnb.records`.
"""

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdnb.errors import InvalidField
from sdnb.files import save_new
from sdnb.parameters_text import parameters, version_of
from sdnb.picture import FromNoise, Inpaint
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import PIL.Image

FORMAT = 1
"""Version of the ``sdnb`` text."""

CHECKPOINT = "checkpoint sha256"
"""The fact that tells checkpoints of one name apart."""

BATCHED = "shared network calls"
"""The fact that says of a picture that it was drawn beside others."""

LEFT_OUT = "left out"
"""The fact that names input pictures which the file cannot hold."""

MOST_TEXT = 48 * 2**20
"""Characters of the ``sdnb`` text: Pillow opens no PNG with more than 64 MB of texts."""

MOST_PARTS = 500_000
"""Lists, objects and entries of a text that is read; a large comparison has some ten thousand."""

_LIBRARIES = ("sdnb", "torch", "diffusers", "transformers")
_FORMATS = ("PNG", "WebP", "JPEG")
_EXIF, _USER_COMMENT, _MAKER_NOTE = 0x8769, 0x9286, 0x927C
_MARK = b"sdnb\0"
_SEGMENT = 65_000  # bytes; a JPEG's segment holds 65533, its length and the mark among them
_MOST_PIXELS = 2**24  # decoded for texts that stand behind them; sdnb's stand before
_BROKEN = (OSError, SyntaxError, ValueError, OverflowError, EOFError, struct.error, zlib.error)

Texts = Mapping[str, str]


def write(
    image: "PIL.Image.Image",
    path: str | Path,
    request: GenerationRequest,
    *,
    index: int,
    facts: Mapping[str, str],
) -> Path:
    """Save one image of a run; an existing file is never replaced.

    Parameters
    ----------
    path : str or Path
        Where to; its suffix is one of `SUFFIXES`. ``cat.png`` becomes ``cat-2.png`` if there is
        one already. The folder is made. PNG and WebP keep every pixel, JPEG almost.
    request : GenerationRequest
        What was run, with its seed and size resolved.
    index : int
        Place of the image in its batch: its seed is ``request.seed + index``.
    facts : Mapping of str to str
        What else is worth knowing of the run: evaluations, seconds, device.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InvalidField
        For another kind of file, and when it cannot be written; what was there before is
        untouched.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _ENCODERS:
        raise InvalidField(
            "a picture is saved as a PNG, a WebP or a JPEG file.",
            given=str(path),
            allowed=", ".join(SUFFIXES),
            fix=f"{Path(path).stem}.png",
        )
    return save_new(path, _ENCODERS[suffix](image, _texts(request, index, facts)))


def _texts(request: GenerationRequest, index: int, facts: Mapping[str, str]) -> Texts:
    text = _own_text(request, index, facts)
    if len(text) > MOST_TEXT:
        shown = {LEFT_OUT: _input_pictures(request)}
        bare = request.changed(start=FromNoise(), controls=(), ip_adapters=())
        text = _own_text(bare, index, {**facts, **shown})
    readable = parameters(request, index=index, checkpoint_sha256=facts.get(CHECKPOINT, ""))
    whole = readable.encode("utf-8", "replace").decode()  # a cell may hold half a character
    return {"parameters": whole, "sdnb": text}


def _own_text(request: GenerationRequest, index: int, facts: Mapping[str, str]) -> str:
    values = {
        "version": FORMAT,
        "request": request.to_json(),
        "index": index,
        "facts": dict(facts),
        "software": software(),
    }
    return json.dumps(values)


def _input_pictures(request: GenerationRequest) -> str:
    """Name the pictures of a request by their hashes, each after its field."""
    start, steering = request.start, (*request.controls, *request.ip_adapters)
    named = [] if isinstance(start, FromNoise) else [("start", start.picture)]
    named += [("mask", start.mask)] if isinstance(start, Inpaint) else []
    named += [(f"{each.FIELD} {each}", each.picture) for each in steering]
    return ", ".join(f"{name} sha256 {picture.sha256}" for name, picture in named)


# JSON may hold anything.
def read_json(text: str) -> Any:
    """Read a file's JSON; raises `InvalidField`, before it takes memory, for millions of parts.

    What is no JSON raises as `json.loads`.
    """
    parts = sum(text.count(mark) for mark in "[{,")
    if parts > MOST_PARTS:
        raise InvalidField(
            "this JSON has more parts than any request or workflow.",
            given=f"{parts} lists, objects and entries",
            allowed=f"up to {MOST_PARTS}",
            fix="use the file as it was written",
        )
    return json.loads(text)


def software() -> dict[str, str]:
    """Return the versions of what makes the pictures, by library."""
    return {library: version_of(library) for library in _LIBRARIES}


def _png(image: "PIL.Image.Image", texts: Texts) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    chunks = PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    return _saved(image, "PNG", pnginfo=chunks)


def _webp(image: "PIL.Image.Image", texts: Texts) -> bytes:
    note = _MARK + texts["sdnb"].encode()
    return _saved(image, "WEBP", lossless=True, exif=_exif(texts["parameters"], note))


def _jpeg(image: "PIL.Image.Image", texts: Texts) -> bytes:
    data = texts["sdnb"].encode()
    parts = [_MARK + data[at : at + _SEGMENT] for at in range(0, len(data), _SEGMENT)]
    segments = b"".join(b"\xff\xe9" + struct.pack(">H", len(part) + 2) + part for part in parts)
    comment = _exif(texts["parameters"], b"")
    fits = comment if len(comment) < _SEGMENT else b""
    return _saved(image, "JPEG", quality=95, subsampling=0, extra=segments, exif=fits)


SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
"""How the files of pictures end."""

_ENCODERS: Mapping[str, Callable[["PIL.Image.Image", Texts], bytes]] = dict(
    zip(SUFFIXES, (_png, _webp, _jpeg, _jpeg), strict=True)
)


def _exif(comment: str, note: bytes) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    fields = exif.get_ifd(_EXIF)
    fields[_USER_COMMENT] = b"UNICODE\0" + comment.encode("utf-16-be")
    if note:
        fields[_MAKER_NOTE] = note
    return exif.tobytes()


# Each format of Pillow takes options of its own.
def _saved(image: "PIL.Image.Image", kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read_info(path: str | Path, formats: Sequence[str] = _FORMATS) -> dict[str, Any]:
    """Return what a picture file carries beside its pixels, by Pillow's names.

    Of a WebP or JPEG, the texts of sdnb, A1111 and ComfyUI too. Pixels are decoded only where no
    text stands before them. Raises `InvalidField` where there is no such file, or none of these
    formats.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=list(formats)) as image:
            is_png, is_small = image.format == "PNG", image.width * image.height <= _MOST_PIXELS
            has_texts = any(isinstance(value, str) for value in image.info.values())
            if is_png and is_small and not has_texts:
                image.load()
            more = {} if is_png else _exif_texts(image)
            return {str(key): value for key, value in image.info.items()} | more
    except FileNotFoundError as error:
        raise unreadable(path, "there is no such file", "check the path") from error
    except (*_BROKEN, Image.DecompressionBombError) as error:
        kinds = " or ".join(formats)
        raise unreadable(path, f"this file is no {kinds}, or a broken one") from error


def _exif_texts(image: "PIL.Image.Image") -> dict[str, str]:
    """Return the texts of a WebP or JPEG, as far as it has them."""
    exif = image.getexif()
    fields = exif.get_ifd(_EXIF)
    segments = [data for name, data in getattr(image, "applist", ()) if name == "APP9"]
    found = {
        "parameters": _decoded(fields.get(_USER_COMMENT)),
        "sdnb": _marked([*segments, fields.get(_MAKER_NOTE)]),
    }
    return {name: text for name, text in (found | _of_comfyui(exif)).items() if text}


def _of_comfyui(fields: Mapping[int, object]) -> dict[str, str]:
    """Return the texts that ComfyUI puts into the camera's make and model, each after its name."""
    texts = (value.partition(":") for value in fields.values() if isinstance(value, str))
    known = {name.lower(): text for name, colon, text in texts if colon}
    return {name: known[name] for name in ("prompt", "workflow") if name in known}


def _marked(parts: Sequence[object]) -> str:
    own = [part for part in parts if isinstance(part, bytes) and part.startswith(_MARK)]
    return b"".join(part.removeprefix(_MARK) for part in own).decode("utf-8", "replace")


def _decoded(comment: object) -> str:
    """Read a user's comment: eight bytes that name its encoding, then the text.

    Source: Exif 2.32 (CIPA DC-008), UserComment, which leaves the order of bytes open.
    """
    if not isinstance(comment, bytes):
        return ""
    code, text = comment[:8], comment[8:]
    if not code.startswith(b"UNICODE"):
        return text.decode("utf-8", "replace").strip("\0 ")
    is_little = text[1::2].count(0) > text[::2].count(0)
    return text.decode("utf-16-le" if is_little else "utf-16-be", "replace")


def unreadable(path: str | Path, what: str, fix: str = "") -> InvalidField:
    """Return the error of a file that does not carry what was written into it."""
    return InvalidField(
        f"{what}.",
        given=str(path),
        allowed="a picture as the program saved it that drew it",
        fix=fix or "use the file as it was written: many tools drop a picture's text",
    )
