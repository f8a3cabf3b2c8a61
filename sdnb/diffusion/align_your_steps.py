"""The sigma schedule "Align Your Steps": levels that were optimised for one model each.

Source: Sabour et al. 2024 (arXiv:2404.14507); the tables as published in the authors' quickstart
guide (research.nvidia.com/labs/toronto-ai/AlignYourSteps/howto.html). `kl_optimal`, the same
paper's closed form, is in `sdnb.diffusion.sigma_schedules`.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch

from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.sigma_schedules import schedule, to_zero
from sdnb.errors import UnknownName
from sdnb.shapes import Sigmas

TABLES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        # Stable Diffusion 1.x
        "sd1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
        # Stable Diffusion XL
        "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    }
)
"""The ends of 10 steps, optimised for one family; a run goes to 0 in place of the last."""


@schedule("align_your_steps")
def align_your_steps(steps: int, _noise_schedule: NoiseSchedule, *, table: str = "sd1") -> Sigmas:
    """Levels optimised for Stable Diffusion 1.x (``table=sd1``) or XL (``table=sdxl``).

    At 10 steps the published ones; else interpolated between them, linearly in ``log sigma``.
    They are noise levels of those two families, whatever the model's own range.
    Source: Sabour et al. 2024 (arXiv:2404.14507), its published tables.
    """
    if table not in TABLES:
        raise UnknownName.among("table of align_your_steps", str(table), TABLES, fix="table=sd1")
    logs = np.log(TABLES[table])
    places = np.linspace(0, len(logs) - 1, steps + 1)[:-1]
    return to_zero(torch.from_numpy(np.exp(np.interp(places, np.arange(len(logs)), logs))))
