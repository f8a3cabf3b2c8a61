"""What is read out of a checkpoint, before device and noise are decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdnb.models.components import Network, TextEncoder
from sdnb.models.families.family import Family


@dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """Networks on the CPU, and how their noise was in training, in diffusers' words.

    Parameters
    ----------
    vae : network or None
        None where the checkpoint brings none.
    words : frozenset of str, or None
        All the words a small model knows; None where any text may be tried.
    """

    family: Family
    texts: tuple[TextEncoder, ...]
    unet: Network
    vae: Network | None
    scheduler: Mapping[str, Any]
    words: frozenset[str] | None = None
