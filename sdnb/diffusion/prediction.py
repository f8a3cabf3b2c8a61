"""What a network predicts, and how that becomes ``eps``: one small function a type.

Networks are trained on ``x / sqrt(1 + sigma**2)``, of unit variance (Karras et al. 2022,
arXiv:2206.00364, table 1, column VP/iDDPM); everything else works on ``x = x0 + sigma * eps``.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from torch import Tensor

from sdnb.shapes import State

# One level for all images, or a column [B, 1, ...] of them, one for each.
Level = TypeVar("Level", float, Tensor)

ToEps = Callable[[State, State, float], State]


def input_scale(sigma: Level) -> Level:
    """Return the factor that gives a network's input unit variance, ``1 / sqrt(1 + sigma**2)``."""
    scale: Level = (1 + sigma * sigma) ** -0.5
    return scale


def eps_from_eps(output: State, _x: State, _sigma: Level) -> State:
    """Return the output itself: the network predicts the noise (Ho et al. 2020)."""
    return output


def eps_from_v(output: State, x: State, sigma: Level) -> State:
    """Return the noise from a velocity, ``v = (eps - sigma * x0) / sqrt(1 + sigma**2)``.

    Source: Salimans & Ho 2022 (arXiv:2202.00512), section 4 and appendix D.
    """
    scale = input_scale(sigma)
    return (output + sigma * scale * x) * scale


def eps_from_x0(output: State, x: State, sigma: Level) -> State:
    """Return the noise from predicted clean latents, ``(x - x0) / sigma``."""
    return (x - output) / sigma


PREDICTIONS: Mapping[str, ToEps] = MappingProxyType(
    {"epsilon": eps_from_eps, "v_prediction": eps_from_v, "sample": eps_from_x0}
)
"""By the name that a checkpoint's configuration gives (``prediction_type``)."""
