"""A picture that steers a run through a ControlNet, as a plain value: ``depth.png:depth:0.7``.

What a ControlNet is and how it is read, is in `sdnb.models.controlnet`.
"""

from dataclasses import dataclass
from typing import no_type_check

from sdnb.steering import Steering


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True, kw_only=True)
class Control(Steering):
    """A picture to keep to: a depth map, edges. It is resized to the run's size."""

    NOUN = "a control"
    NETWORK = "a ControlNet"
    KEY = "controlnet"
    FLAG = "--control depth.png:depth:0.7"
    FIELD = "controls"
