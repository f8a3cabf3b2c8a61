"""Pictures that go into a run, and the ways to start: from noise, from a picture or a part."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, no_type_check

from sdnb.borders import border_mask, check_borders, extended
from sdnb.errors import InvalidField, reason_of

if TYPE_CHECKING:
    from PIL.Image import Image


FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Of Pillow, those that it decodes itself: for others it may start another program."""

MOST_PIXELS = 8192**2
"""The largest size of a run."""


@contextmanager
def opened(file: "str | Path | BytesIO", given: str, fix: str) -> "Iterator[Image]":
    """Open a picture, whose pixels may then be decoded within the block.

    Raises `InvalidField`, with ``given`` and ``fix``, for what is none of the `FORMATS`, is
    broken, or has more than `MOST_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"it has {image.width}x{image.height} pixels")
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        is_none = isinstance(error, UnidentifiedImageError)  # which shows the object it was given
        kinds = f"it is none of {', '.join(FORMATS)}"
        why = kinds if is_none else reason_of(error, "" if isinstance(file, BytesIO) else file)
        raise InvalidField(
            f"this picture cannot be read: {why}.",
            given=given,
            allowed="a whole PNG, JPEG or WebP file, of up to 8192x8192 pixels",
            fix=fix,
        ) from error


@dataclass(frozen=True)
class Picture:
    """An input picture by content: PNG bytes and their SHA-256."""

    png: bytes = field(repr=False)
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", sha256(self.png).hexdigest())

    @classmethod
    def of(cls, image: "Image") -> "Picture":
        """Keep a PIL image; its mode becomes RGB."""
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "PNG")
        return cls(buffer.getvalue())

    @classmethod
    def read(cls, path: str | Path) -> "Picture":
        """Read a picture file of one of the `FORMATS`."""
        fix = "check the path, relative to the notebook's folder"
        with opened(path, str(path), fix) as image:
            return cls.of(image)

    @classmethod
    def decode(cls, data: bytes) -> "Picture":
        """Read the bytes of a picture file of one of the `FORMATS`."""
        given = f"{len(data)} bytes that are no such file"
        with opened(BytesIO(data), given, "save it as PNG") as image:
            return cls.of(image)

    def open(self) -> "Image":
        """Decode to a PIL image in RGB; raises `InvalidField` for bytes that are no picture."""
        with self._opened() as image:
            return image.convert("RGB")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; nothing is decoded."""
        with self._opened() as image:
            return image.size

    def _opened(self) -> "AbstractContextManager[Image]":
        fix = "make it with Picture.read(path) or Picture.of(image)"
        return opened(BytesIO(self.png), f"{len(self.png)} bytes", fix)

    @property
    def is_black(self) -> bool:
        """Whether no pixel is anything but black."""
        return self.open().getbbox() is None


@dataclass(frozen=True)
class FromNoise:
    """Start from noise alone."""


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class FromImage:
    """Start from a picture's latents, noised as far as ``denoise`` says (img2img)."""

    picture: Picture

    def __post_init__(self) -> None:
        _check("FromImage", self.picture)

    @classmethod
    def read(cls, path: str | Path) -> "FromImage":
        """Start from the picture file at ``path``."""
        return cls(Picture.read(path))


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class Inpaint:
    """Start from a picture and repaint it where ``mask`` is white.

    What is black stays: in the latents as the picture's own, in the result pixel by pixel (it
    does not pass through the VAE). Grey blends, so a blurred edge hides the seam. The mask may
    be larger or smaller than the picture, of the same proportions; both are brought to the size
    of the run. ``denoise`` says how far the rest may go from what is there.

    Raises `InvalidField` for other proportions.
    """

    picture: Picture
    mask: Picture

    def __post_init__(self) -> None:
        _check("Inpaint", self.picture, self.mask)
        (width, height), (across, down) = self.picture.size, self.mask.size
        if abs(across * height / width - down) >= 1:
            raise InvalidField(
                "the mask has other proportions than the picture.",
                given=f"a mask of {across}x{down} pixels",
                allowed=f"{width}x{height}, or that enlarged or reduced",
                fix="save the mask at the size of the picture",
            )

    @classmethod
    def read(cls, path: str | Path, mask: str | Path) -> "Inpaint":
        """Start from the picture file at ``path``, with the mask in another."""
        return cls(Picture.read(path), Picture.read(mask))

    @classmethod
    def outpaint(  # noqa: PLR0913 - four sides, any of which may be left out
        cls,
        picture: Picture,
        *,
        left: int = 0,
        top: int = 0,
        right: int = 0,
        bottom: int = 0,
        feather: int = 16,
    ) -> "Inpaint":
        """Start from a picture with borders around it that are to be painted.

        They begin with the colours of the picture's edges. The run needs the new size:
        ``width, height = start.picture.size``.

        Parameters
        ----------
        left, top, right, bottom : int
            Pixels to add on each side; the new width and height are multiples of 8.
        feather : int
            Pixels within the picture, along a border, over which the mask falls to black: there
            old and new blend. 0 leaves the picture whole.

        Raises
        ------
        InvalidField
            Without a border, and for a size that no run can have.
        """
        _check("Inpaint", picture)
        borders = {"left": left, "top": top, "right": right, "bottom": bottom}
        check_borders(picture.size, borders, feather)
        image = picture.open()
        return cls(
            Picture.of(extended(image, borders)),
            Picture.of(border_mask(image.size, borders, feather)),
        )


Start = FromNoise | FromImage | Inpaint


def masked(start: Start, mask: Picture | None) -> Start:
    """Give a start's picture another mask, or none; raises `InvalidField` without a picture."""
    if isinstance(start, FromNoise):
        raise InvalidField(
            "a mask says where a picture is repainted, and there is no picture.",
            given="--mask alone",
            allowed="--mask with --image",
            fix="--image cat.png --mask mask.png",
        )
    return FromImage(start.picture) if mask is None else Inpaint(start.picture, mask)


def outpainted(start: Start, borders: Mapping[str, int]) -> Inpaint:
    """Give a picture borders to paint; raises `InvalidField` without one, or if it has a mask."""
    if isinstance(start, FromNoise):
        raise InvalidField(
            "a border goes around a picture, and there is no picture.",
            given="--outpaint alone",
            allowed="--outpaint with --image",
            fix="--image cat.png --outpaint right=64",
        )
    if isinstance(start, Inpaint):
        raise InvalidField(
            "a border brings its own mask, and the picture has one.",
            given="--outpaint with --mask",
            allowed="one of them",
            fix="--mask none, where the defaults hold a mask",
        )
    return Inpaint.outpaint(start.picture, **borders)


def write_start(start: Start) -> dict[str, str] | None:
    """Return a start as plain values for JSON: its pictures in base64; None for noise alone."""
    if isinstance(start, FromNoise):
        return None
    pictures = {"picture": start.picture}
    if isinstance(start, Inpaint):
        pictures["mask"] = start.mask
    return {name: b64encode(picture.png).decode() for name, picture in pictures.items()}


@no_type_check  # at run time: what a file holds may be anything, and fails as its caller expects
def read_start(values: Mapping[str, str] | None) -> Start:
    """Read what `write_start` wrote."""
    if values is None:
        return FromNoise()
    picture = Picture(b64decode(values["picture"]))
    if "mask" not in values:
        return FromImage(picture)
    return Inpaint(picture, Picture(b64decode(values["mask"])))


def _check(name: str, *pictures: object) -> None:
    for picture in pictures:
        if not isinstance(picture, Picture):
            raise InvalidField(
                f"{name} takes a Picture.",
                given=picture,
                allowed="sdnb.Picture.read(path), sdnb.Picture.of(image)",
                fix=f'sdnb.{name}.read("cat.png"), from a file',
            )
