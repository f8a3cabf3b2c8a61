"""A comparison as one picture for print and mail: labels, a caption, and every cell at its size.

A picture too large for its file is cut into several, each with its own labels. What the files
carry beside is in `sdnb.comparison.record`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from PIL.Image import Image

from sdnb.comparison.paper import GAP, Lettering, Paper
from sdnb.comparison.plan import NO_AXIS, Plan
from sdnb.comparison.record import Outcome, describe, encode, in_words
from sdnb.errors import InvalidField
from sdnb.files import save_new
from sdnb.request import GenerationRequest
from sdnb.result import Result

SUFFIXES = (".png", ".webp")

LONGEST_SIDE = 16383
"""Pixels that a WebP may have in each direction."""

MOST_PIXELS = 2**26
"""Of one file: Pillow warns of a third more when it opens one, and refuses much more."""

TILE_SIDE = 8192
"""Pixels in each direction of the files of a picture that is cut: its square is `MOST_PIXELS`."""

ROW_OF_IMAGES = 4096
"""Images of a batch stand side by side, in rows of about so many pixels."""

WORDS = 8
"""Least width of a cell, in heights of a letter: there may be words in it."""

LABEL = 16
"""Greatest width of a row's label, in heights of a letter."""

SHARED = ("prompt", "negative_prompt", "seed", "sampler", "schedule", "steps", "cfg_scale")
"""Fields that the caption names where all cells agree on them."""


def write(plan: Plan, outcomes: Sequence[Outcome], path: str | Path) -> list[Path]:
    """Save a plan's cells as labelled pictures; an existing file is never replaced.

    Parameters
    ----------
    outcomes : sequence
        What became of each cell.
    path : str or Path
        Ends in ``.png`` or ``.webp``.

    Returns
    -------
    list of Path
        The one file, or ``name-r0-c0.png``, ``name-r0-c1.png``, … where it would be too large.

    Raises
    ------
    InvalidField
        For another kind of file, one that cannot be written, and a cell too large for a file.
    """
    wanted = Path(path)
    suffix = wanted.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidField(
            "a comparison is saved as a PNG or a WebP file.",
            given=str(path),
            allowed=", ".join(SUFFIXES),
            fix='comparison.save("grid.png")',
        )
    poster = Poster(plan, outcomes)
    tiles = poster.tiles()
    for tile in tiles:
        _check_size(poster.paper(tile.rows, tile.columns).size)
    return [
        save_new(
            wanted.with_stem(wanted.stem + tile.name),
            encode(
                poster.paper(tile.rows, tile.columns).draw(),
                suffix,
                caption=poster.caption,
                values=describe(plan, outcomes, poster.numbers(tile)),
            ),
        )
        for tile in tiles
    ]


def _check_size(size: tuple[int, int]) -> None:
    if max(size) > LONGEST_SIDE:
        raise InvalidField(
            "a cell is larger than a file can hold.",
            given=f"{size[0]}x{size[1]} pixels with its labels",
            allowed=f"at most {LONGEST_SIDE} pixels in each direction",
            fix="compare fewer or smaller images at once",
        )


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A rectangle of cells that share a file, and what is added to the file's name."""

    rows: range
    columns: range
    name: str = ""


class Poster:
    """A plan's cells as a table: the last axis across, the one before it down.

    More axes give more tables, one below the other: their rows are counted through.
    """

    def __init__(self, plan: Plan, outcomes: Sequence[Outcome]) -> None:
        *above, down, across = (NO_AXIS, NO_AXIS, *plan.axes)
        self._tables = [
            ", ".join(filter(None, captions))
            for captions in product(*(axis.captions for axis in above))
        ]
        self._down, self._across = down.captions, across.captions
        self._outcomes = outcomes
        self.caption = _shared([cell.request for cell in plan.cells])
        widest = max((image.width for each in outcomes for image in _images(each)), default=0)
        self._letters = Lettering(min(28, max(12, widest // 20)))
        labels = max(map(self._letters.width, self._down))
        self._label_width = min(labels, LABEL * self._letters.size)
        self._widths = [self._width(column) for column in range(len(self._across))]

    def tiles(self) -> list[Tile]:
        """Return what goes into which file: all into one if it is not too large."""
        rows, columns = range(len(self._tables) * len(self._down)), range(len(self._across))
        width, height = self.paper(rows, columns).size
        if max(width, height) <= LONGEST_SIDE and width * height <= MOST_PIXELS:
            return [Tile(rows=rows, columns=columns)]
        across = _cut(columns, lambda some: self.paper(rows[:1], some).size[0])
        down = _cut(rows, lambda some: max(self.paper(some, beside).size[1] for beside in across))
        return [
            Tile(rows=some, columns=beside, name=f"-r{row}-c{column}")
            for row, some in enumerate(down)
            for column, beside in enumerate(across)
        ]

    def numbers(self, tile: Tile) -> list[int]:
        """Return the numbers of a tile's cells in the plan."""
        return [self._number(row, column) for row in tile.rows for column in tile.columns]

    def paper(self, rows: range, columns: range) -> Paper:
        """Place some of the cells: the caption, then rows, labels above a table's first."""
        lefts, right = {}, self._label_width + 2 * GAP
        for column in columns:
            lefts[column] = right
            right += self._widths[column] + GAP
        paper = Paper(self._letters, right)
        paper.write(GAP, self.caption, right - 2 * GAP)
        for row in rows:
            paper.go_on()
            table, down = divmod(row, len(self._down))
            if down == 0 or row == rows[0]:
                paper.write(GAP, self._tables[table], right - 2 * GAP)
                paper.go_on()
                for column, left in lefts.items():
                    paper.write(left, self._across[column], self._widths[column])
                paper.go_on()
            paper.write(GAP, self._down[down], self._label_width)
            for column, left in lefts.items():
                self._place(paper, left, row, column)
        paper.go_on()
        return paper

    def _place(self, paper: Paper, left: int, row: int, column: int) -> None:
        outcome, width = self._outcomes[self._number(row, column)], self._widths[column]
        if images := _images(outcome):
            paper.lay(left, images, width)
        else:
            paper.write(left, in_words(outcome), width)

    def _number(self, row: int, column: int) -> int:
        return row * len(self._across) + column

    def _width(self, column: int) -> int:
        """Return how wide a column is: as its widest row of images, with room for words."""
        cells = self._outcomes[column :: len(self._across)]
        rows = [_row_width(images) for images in map(_images, cells) if images]
        return max(WORDS * self._letters.size, *rows, 0)


def _images(outcome: Outcome) -> tuple[Image, ...]:
    return outcome.images if isinstance(outcome, Result) else ()


def _row_width(images: Sequence[Image]) -> int:
    each = images[0].width + GAP
    return min(len(images), max(1, ROW_OF_IMAGES // each)) * each - GAP


def _cut(places: range, measured: Callable[[range], int]) -> list[range]:
    """Cut places into parts that measure `TILE_SIDE` at most, of one place at least."""
    parts, begin = [], 0
    for end in range(1, len(places)):
        if measured(places[begin : end + 1]) > TILE_SIDE:
            parts.append(places[begin:end])
            begin = end
    return [*parts, places[begin:]]


def _shared(requests: Sequence[GenerationRequest]) -> str:
    """Return in a line what all cells have in common."""
    first, *others = requests
    said = [
        f"{name} {getattr(first, name)}"
        for name in SHARED
        if all(getattr(each, name) == getattr(first, name) for each in others)
        and getattr(first, name) not in ("", None)
    ]
    return ", ".join(said)
