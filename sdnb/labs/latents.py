"""The latents of a run, step by step: channels, their distribution, and what the network said.

    lab = Latents(sdnb.load("tiny"))
    lab.draw(prompt="a red circle", steps=12)
    lab.wait()
    lab.histograms[3].std

All steps are prepared at once: whoever scrubs through them asks neither network nor kernel.
"""

from functools import partial
from itertools import accumulate

import torch
from traitlets import Any as AnyTrait

from sdnb.comparison.latents import check_image, histogram
from sdnb.labs.grids import Maps, signed_grids
from sdnb.labs.lab import Lab
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.trace import Trace

UNITS = ("x", "eps_cond", "eps_uncond")
"""Parts that are about a unit Gaussian."""


class Latents(Lab):
    """One run, taken apart.

    Attributes
    ----------
    grids : Grids or None
        A frame a step, with a tile a channel; the rows are `parts_of` the run.
    histograms : tuple of Histogram
        Of each step's latents, beside the unit Gaussian.
    """

    grids = AnyTrait(None)
    histograms = AnyTrait(())

    def open(self, result: Result, index: int = 0) -> None:
        """Take a run apart, with its fields typed.

        Raises `InvalidField` where it kept no states, and for an image that it has not.
        """
        check_image(result, index)
        self.form.fill(result.request)
        self._ask(partial(self._show, result, index))

    def _draw(self, request: GenerationRequest) -> None:
        run = self.pipe.start(request)
        if self._to_end([run]):
            self._show(run.finish(), 0)

    def _show(self, result: Result, index: int) -> None:
        trace = result.trace
        levels = zip(trace.x[:-1, index], trace.sigmas[:-1], strict=True)
        self._show_result(
            result,
            film=self._reel.film(result, index),
            grids=signed_grids(parts_of(trace, index), UNITS),
            histograms=tuple(histogram(x[None], sigma) for x, sigma in levels),
        )


def parts_of(trace: Trace, index: int = 0) -> dict[str, Maps]:
    """Return what there was in each step of an image's run, [N, C, h, w] each.

    ``x`` is scaled by ``1 / sqrt(1 + sigma**2)``, as the network is shown it; ``eps_cond``,
    ``eps_uncond`` and their ``difference`` are its first answers in the step, NaN where it was
    not asked or its answer not kept, and left out where that is so in all steps; ``x0`` is the
    estimate that the step was made from.
    """
    sigmas = torch.tensor(trace.sigmas[:-1])[:, None, None, None]
    cond, uncond = (_answers(trace, index, branch) for branch in ("cond", "uncond"))
    parts = {
        "x": trace.x[:-1, index].float() / (1 + sigmas**2).sqrt(),
        "eps_cond": cond,
        "eps_uncond": uncond,
        "difference": cond - uncond,
        "x0": trace.denoised[:, index].float(),
    }
    return {name: part for name, part in parts.items() if not part.isnan().all()}


def _answers(trace: Trace, index: int, branch: str) -> Maps:
    nothing = torch.full_like(trace.denoised[0, index].float(), torch.nan)
    firsts = [0, *accumulate(trace.asked)][: trace.steps]
    said = [trace.evaluations[first].eps or {} for first in firsts]
    return torch.stack([eps[branch][index].float() if branch in eps else nothing for eps in said])
