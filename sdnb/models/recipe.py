"""How a checkpoint was loaded, as plain values: another process loads the same by them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Swap = Mapping[str, Any]
"""What `sdnb.models.loading.swap_parts` was told."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What was asked of `sdnb.load`, and which parts were swapped then, in their order.

    None for device and dtype is the best that there is, wherever it is loaded.
    """

    reference: str
    vae: str | None = None
    device: str | None = None
    dtype: str | None = None
    offload: bool = False
    allow_pickle: bool = False
    swaps: tuple[Swap, ...] = field(default=())
