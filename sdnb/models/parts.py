"""Pictures that are too many or too large for the memory, through a network in parts.

First fewer at once; then, if one alone is too large, in tiles whose seams are blended.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.models.memory import is_out_of_memory, too_large

TILES = (128, 64, 32)
"""Sides of the tiles, in latents, that are tried one after the other: 1024, 512 and 256 pixels."""

Pictures = Float[Tensor, "B C a b"]
"""Latents or pixels."""

Made = Float[Tensor, "B _ _ _"]
"""What becomes of them: the other of the two."""

Convert = Callable[[Pictures], Made]
"""Latents -> pixels, or pixels -> latents."""


def in_parts(
    convert: Convert, given: Pictures, *, at_once: int, read: int, write: int
) -> Iterator[Made]:
    """Convert any number of pictures, as many at once as fit; give them as they come.

    Half as many at once whenever memory turns out to be too small, and one that does not fit in
    the largest tiles of `TILES` that do. A network that looks at a whole picture, as a norm over
    groups of channels does, sees a tile only: its colours may differ a little from the whole's.

    Parameters
    ----------
    read, write : int
        Values along a side, of ``given`` and of what it becomes, for each latent: 1 and 8 where
        pixels are made.

    Raises
    ------
    ModelError
        Where memory is too small for the smallest tile, or the picture is no larger than that.
    """
    while len(given):
        some = given[:at_once]
        made = _tried(convert, some)
        if isinstance(made, RuntimeError) and len(some) > 1:
            at_once = len(some) // 2
            continue
        yield _tiled(convert, some, made, read, write) if isinstance(made, RuntimeError) else made
        given = given[at_once:]


def _tried(convert: Convert, given: Pictures) -> Made | RuntimeError:
    """Convert; return the error in place of the result where memory ended."""
    try:
        return convert(given)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return error.with_traceback(None)  # its frames would hold what filled the memory


def _tiled(convert: Convert, given: Pictures, refused: RuntimeError, read: int, write: int) -> Made:
    """Convert one picture in the largest tiles that fit."""
    longest = max(given.shape[-2:]) // read
    for side in (side for side in TILES if side < longest):
        made = _tried(partial(in_tiles, convert, side=side, read=read, write=write), given)
        if not isinstance(made, RuntimeError):
            return made
        refused = made
    raise too_large(given, refused, "latents" if read <= write else "pixels")


def in_tiles(convert: Convert, given: Pictures, side: int, read: int, write: int) -> Made:
    """Convert pictures in tiles of ``side`` latents, which overlap by a quarter and are blended.

    A network whose outputs depend on no latent farther than ``side // 16`` gives what it gives of
    the whole: so much of an overlap has no weight on either side, between them it shifts
    linearly from one tile to the next.
    """
    height, width = (length // read for length in given.shape[-2:])
    total = weights = torch.zeros(())
    for rows, columns in product(_spans(height, side), _spans(width, side)):
        made = convert(given[..., _units(rows, read), _units(columns, read)])
        if not weights.ndim:
            total = made.new_zeros(*made.shape[:2], height * write, width * write)
            weights = total[:1, :1].clone()
        share = _ramp(rows, height, write)[:, None] * _ramp(columns, width, write)
        share = share.to(made)
        place = (..., _units(rows, write), _units(columns, write))
        total[place] += share * made
        weights[place] += share
    return total / weights


def _spans(length: int, side: int) -> list[range]:
    """Cut a length into overlapping tiles, evenly spread."""
    side = min(side, length)
    overlap = side // 4
    count = ceil((length - overlap) / (side - overlap))
    step = (length - side) / max(1, count - 1)
    return [range(round(i * step), round(i * step) + side) for i in range(count)]


def _units(span: range, size: int) -> slice:
    return slice(span.start * size, span.stop * size)


def _ramp(span: range, length: int, size: int) -> Float[Tensor, " n"]:
    """Return a tile's weights along a side: falling to 0 towards its neighbours."""
    place = (torch.arange(len(span) * size) + 0.5) / size
    margin = len(span) / 16
    inner, whole = torch.full_like(place, torch.inf), len(span)
    before = inner if span.start == 0 else place
    after = inner if span.stop == length else whole - place
    return ((torch.minimum(before, after) - margin) / (2 * margin)).clamp(0, 1)
