"""Small maps of a run's steps, as bytes: what a page colours by itself while it is scrubbed."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

Maps = Float[Tensor, "frames tiles _h _w"]

UNIT = 3.0
"""Deviations that the colours of what is about a unit Gaussian reach to."""

LARGEST, ROOM = 64, 8 * 2**20
"""Values along a side, and bytes of all maps together, at most: larger ones are averaged down."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Maps of one kind, for every frame.

    Parameters
    ----------
    name : str
        What they are of.
    tiles : int
        How many stand side by side.
    limit : float
        The value that 255 means.
    figures : tuple of tuple of float, or None, [frames]
        What is said of each frame; None where there is nothing to see.
    data : bytes, [frames * tiles * h * w]
    """

    name: str
    tiles: int
    limit: float
    figures: tuple[tuple[float, ...] | None, ...]
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Grids:
    """Rows of maps of one size."""

    rows: tuple[Row, ...]
    frames: int
    width: int
    height: int


def fitted(maps: Maps, rows: int) -> Maps:
    """Average maps down to what so many rows of them have room for."""
    frames, tiles, height, width = maps.shape
    side = min(LARGEST, max(height, width))
    while side > 8 and rows * frames * tiles * side**2 > ROOM:
        side //= 2
    if side >= max(height, width):
        return maps
    share = side / max(height, width)
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return interpolate(maps, size, mode="area")


def signed_grids(parts: Mapping[str, Maps], units: Container[str]) -> Grids:
    """Lay out maps of values on both sides of 0, a row for each part; figures: mean, deviation.

    Parameters
    ----------
    parts : mapping of str to Tensor [frames, tiles, h, w]
        All of one size; NaN where there is nothing to see.
    units : container of str
        Which parts are about a unit Gaussian: their colours reach to `UNIT`.
    """
    small = {name: fitted(maps, len(parts)) for name, maps in parts.items()}
    frames, _, height, width = next(iter(small.values())).shape
    rows = tuple(
        Row(
            name=name,
            tiles=maps.shape[1],
            limit=limit,
            figures=tuple(map(_spread, maps)),
            data=signed_bytes(small[name], limit),
        )
        for name, maps in parts.items()
        for limit in [UNIT if name in units else _reach(maps)]
    )
    return Grids(rows=rows, frames=frames, width=width, height=height)


def _reach(maps: Maps) -> float:
    known = maps[~maps.isnan()]
    return float(f"{UNIT * float(known.square().mean().sqrt()):.2g}") or 1.0


def _spread(values: Float[Tensor, "tiles _h _w"]) -> tuple[float, float] | None:
    return None if values.isnan().any() else (float(values.mean()), float(values.std()))


def signed_bytes(maps: Maps, limit: float) -> bytes:
    """Write values of -limit … limit as 0 … 255; what is no number as the middle."""
    return _bytes(((maps / limit).clamp(-1, 1) * 127.5 + 127.5).nan_to_num(127.5))


def unsigned_bytes(maps: Maps, limit: float) -> bytes:
    """Write values of 0 … limit as 0 … 255; what is no number as 0."""
    return _bytes(((maps / limit).clamp(0, 1) * 255).nan_to_num(0))


def _bytes(levels: Maps) -> bytes:
    return levels.round().to(torch.uint8).contiguous().numpy().tobytes()
