"""Pictures that go into a run, and the two ways to start: from noise, from a picture."""

from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from sdnb.errors import InvalidField

if TYPE_CHECKING:
    from PIL.Image import Image


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
        """Read a picture file of any format PIL knows."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                return cls.of(image)
        except (OSError, UnidentifiedImageError) as error:
            raise InvalidField(
                f"this picture cannot be read: {error}",
                given=str(path),
                allowed="a PNG, JPEG or WebP file",
                fix="check the path, relative to the notebook's folder",
            ) from error

    def open(self) -> "Image":
        """Decode to a PIL image in RGB."""
        from PIL import Image

        return Image.open(BytesIO(self.png)).convert("RGB")


@dataclass(frozen=True)
class FromNoise:
    """Start from noise alone."""


@dataclass(frozen=True)
class FromImage:
    """Start from a picture's latents, noised as far as ``denoise`` says (img2img)."""

    picture: Picture

    @classmethod
    def read(cls, path: str | Path) -> "FromImage":
        """Start from the picture file at ``path``."""
        return cls(Picture.read(path))


Start = FromNoise | FromImage
