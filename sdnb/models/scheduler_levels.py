"""Noise levels as a scheduler of diffusers keeps them, read without touching it."""

from typing import Any

import torch

from sdnb.shapes import Sigmas

# diffusers is typed in part only.
Scheduler = Any


def levels(scheduler: Scheduler) -> Sigmas | None:
    """Return the scheduler's own levels of latents by its ``step_index``, as it stands now.

    They hold for latents that a step may be given now: a second-order scheduler is halfway
    through a step every other time, at levels that it keeps apart. None where it keeps none.
    """
    sigmas: Sigmas | None = getattr(scheduler, "sigmas", None)
    if sigmas is None or getattr(scheduler, "state_in_first_order", True):
        return sigmas
    # DPMSolverSDE keeps the one level halfway, KDPM2 a table, its ancestral kind one place earlier
    between = getattr(scheduler, "mid_point_sigma", None)
    if between is not None:
        return torch.full_like(sigmas, float(between))
    table: Sigmas = getattr(scheduler, "sigmas_interpol", sigmas)
    return table.roll(1) if hasattr(scheduler, "sigmas_down") else table


def level(sigmas: Sigmas | None, index: int) -> float | None:
    """Return one of the levels; None where there is none."""
    if sigmas is None or not 0 <= index < len(sigmas):
        return None
    return float(sigmas[index])
