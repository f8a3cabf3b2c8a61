"""A sheet on which words and pictures are placed, row under row, and which is then drawn.

Letters are of the one font that Pillow brings along, so they are the same anywhere. It has Latin
letters without accents only: letters lose theirs, and what it lacks becomes ``?``.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

GAP = 8
"""Pixels between what is placed, and around it."""

PAPER, INK = "white", "#222222"

PLAIN = str.maketrans("‘’“”–—−×·", "''\"\"---x,")  # noqa: RUF001 - those are the marks meant
"""Marks that the font lacks -> what stands for them."""


class Lettering:
    """Lines of text of one size.

    Parameters
    ----------
    size : int
        Of the font, in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.line = size + size // 3
        self._font = ImageFont.load_default(size)

    def width(self, text: str) -> int:
        """Return how wide a line is, in pixels."""
        return ceil(self._font.getlength(plain(text)))

    def wrapped(self, text: str, width: int) -> list[str]:
        """Break a text into lines of at most ``width`` pixels, within words where it must."""
        lines: list[str] = []
        for word in plain(text).split():
            longer = f"{lines[-1]} {word}" if lines else word
            if self.width(longer) <= width:
                lines[-1:] = [longer]
            else:
                lines += self._pieces(word, width)
        return lines

    def draw(self, picture: Image.Image, at: tuple[int, int], line: str) -> None:
        """Draw a line on a picture, from this corner on."""
        ImageDraw.Draw(picture).text(at, line, INK, self._font)

    def _pieces(self, word: str, width: int) -> Iterator[str]:
        """Cut a word into pieces that fit, of one letter at least."""
        piece = ""
        for letter in word:
            if piece and self.width(piece + letter) > width:
                yield piece
                piece = ""
            piece += letter
        yield piece


def plain(text: str) -> str:
    """Return a text in the letters that the font has."""
    apart = unicodedata.normalize("NFKD", text.translate(PLAIN))
    letters = "".join(each for each in apart if not unicodedata.combining(each))
    return letters.encode("ascii", "replace").decode()


class Placed(NamedTuple):
    """A picture or a line of text, and where its upper left corner stands."""

    x: int
    y: int
    thing: Image.Image | str


class Paper:
    """What stands on a sheet: things side by side in the present row, under what went before.

    Parameters
    ----------
    width : int
        Of the sheet, in pixels.
    """

    def __init__(self, letters: Lettering, width: int) -> None:
        self._letters = letters
        self._width = width
        self._placed: list[Placed] = []
        self._top = self._bottom = GAP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, up to the present row."""
        return self._width, self._top

    def write(self, left: int, text: str, width: int) -> None:
        """Place text in the present row, broken into lines of at most ``width`` pixels."""
        for number, line in enumerate(self._letters.wrapped(text, width)):
            self._place(left, number * self._letters.line, line, self._letters.line)

    def lay(self, left: int, images: Sequence[Image.Image], width: int) -> None:
        """Place images of one size in the present row, as many side by side as fit the width."""
        across, down = (side + GAP for side in images[0].size)
        beside = max(1, (width + GAP) // across)
        for number, image in enumerate(images):
            row, column = divmod(number, beside)
            self._place(left + column * across, row * down, image, image.height)

    def go_on(self) -> None:
        """Begin a row below all that is placed."""
        if self._bottom > self._top:
            self._top = self._bottom = self._bottom + GAP

    def draw(self) -> Image.Image:
        """Draw all that is placed."""
        picture = Image.new("RGB", self.size, PAPER)
        for x, y, thing in self._placed:
            if isinstance(thing, str):
                self._letters.draw(picture, (x, y), thing)
            else:
                picture.paste(thing, (x, y))
        return picture

    def _place(self, x: int, below: int, thing: Image.Image | str, height: int) -> None:
        self._placed.append(Placed(x, self._top + below, thing))
        self._bottom = max(self._bottom, self._top + below + height)
