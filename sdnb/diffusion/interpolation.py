"""Ways from one state to another: straight, or along a sphere."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import InvalidField
from sdnb.shapes import State

Between = Callable[[State, State, float], State]
"""``(first, second, share)`` -> what lies a share, 0 … 1, of the way from one to the other."""

One = Float[Tensor, "1 *shape"]
Four = Float[Tensor, "4 *shape"]
Several = Float[Tensor, "_ *shape"]

PARALLEL = 1e-3
"""Sine of an angle below which two directions are one: float32 tells no smaller ones from 0."""


def lerp(first: State, second: State, share: float) -> State:
    """Return the point on the straight line: shorter than both ends where they differ much."""
    return first + share * (second - first)


def slerp(first: State, second: State, share: float) -> State:
    """Return the point on the arc: each row's length goes evenly from one end's to the other's.

    Where two rows point the same way, or opposite ways, or one has no length, the straight line is
    taken.

    Source: Shoemake 1985 (doi:10.1145/325334.325242), section 3.3, for vectors of two lengths.
    """
    a, b = first.flatten(1), second.flatten(1)
    lengths = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    units = [row / length.clamp(min=1e-12) for row, length in zip((a, b), lengths, strict=True)]
    angle = (units[0] * units[1]).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    unit = ((1 - share) * angle).sin() * units[0] + (share * angle).sin() * units[1]
    length = lerp(*lengths, share)
    on_arc = unit / sine.clamp(min=PARALLEL) * length
    has_arc = (sine > PARALLEL) & (lengths[0] > 0) & (lengths[1] > 0)
    row: Tensor = torch.where(has_arc, on_arc, lerp(a, b, share))
    return row.view_as(first)


def way(
    first: One,
    second: Float[Tensor, "1 ..."],
    count: int,
    between: Between = lerp,
) -> Several:
    """Return ``count`` states evenly spaced between two, both ends among them.

    Raises
    ------
    InvalidField
        For fewer than two, and for ends of two sizes.
    """
    if count < 2 or first.shape != second.shape:
        raise InvalidField(
            "a way has two ends of one size, or more places.",
            given=f"{count} places between {tuple(first.shape)} and {tuple(second.shape)}",
            allowed="2 places or more, latents of one size",
            fix="way(first, second, 5)",
        )
    return torch.cat([between(first, second, i / (count - 1)) for i in range(count)])


def grid(corners: Four, rows: int, columns: int, between: Between = lerp) -> Several:
    """Return ``rows * columns`` states between four corners, row by row.

    Parameters
    ----------
    corners : Tensor [4, ...]
        Top left, top right, bottom left, bottom right.
    """
    left = way(corners[0:1], corners[2:3], rows, between)
    right = way(corners[1:2], corners[3:4], rows, between)
    lines = [way(left[i : i + 1], right[i : i + 1], columns, between) for i in range(rows)]
    return torch.cat(lines)
