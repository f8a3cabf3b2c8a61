"""The sigma schedule "custom": the user's own levels, as a list or as a function.

A function of general use is better registered under its own name, with `sdnb.schedule`: only
then can a request name it, and a picture's file bring it back.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sdnb.choice import Plain
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.sigma_schedules import schedule, to_zero
from sdnb.errors import InvalidField
from sdnb.shapes import Sigmas

Levels = Sequence[int | float] | Tensor
Function = Callable[[int, NoiseSchedule], Levels]


@schedule("custom")
def custom(
    steps: int, noise_schedule: NoiseSchedule, *, sigmas: Levels | Function | Plain = ()
) -> Sigmas:
    """Your own levels: ``custom sigmas=14.6,5,1,0``; in Python a list or a function, too.

    A list is visited as it stands, whatever the number of steps asked for, and takes no
    ``denoise``: it begins where it begins. A function is called with the number of steps and the
    model's `NoiseSchedule`. A 0 at the end is added where it is missing.
    """
    given = sigmas(steps, noise_schedule) if callable(sigmas) else sigmas
    try:
        levels = torch.as_tensor(given, dtype=torch.float64).clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_levels(given) from error
    if levels.ndim != 1 or len(levels) == 0:
        raise _no_levels(given)
    return levels if levels[-1] == 0 else to_zero(levels)


def _no_levels(given: object) -> InvalidField:
    return InvalidField(
        "the schedule custom takes noise levels.",
        given=given,
        allowed="a list of falling numbers; in Python also a function (steps, noise_schedule)",
        fix='--schedule "custom sigmas=14.6,5,1,0"',
    )
