"""What was seen of a diffusers pipeline: its steps as plain data, which draw themselves.

How they are seen is in `observe.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.result import quiet_line

Foreign = Float[Tensor, "..."]
"""A tensor in the pipeline's own layout and scale: packed [B, L, C] in Flux, say."""

HEADINGS = ("step", "t", "sigma", "x: mean ± std", "prediction: mean ± std", "answers")


@dataclass(frozen=True, eq=False, kw_only=True)
class ObservedStep:
    """One call of the scheduler, and what the network answered for it; copies on the CPU.

    Every number is as the pipeline has it: nothing is brought to sdnb's scale.

    Parameters
    ----------
    index : int
        Calls of the scheduler in this run, from 0. A second-order one is called twice a step.
    t : float or None
        The timestep that the scheduler was told; None where it differs within the batch.
    sigma, sigma_next : float or None
        The scheduler's own noise levels of ``x`` and ``x_next``; None where it keeps none, as
        DDIM and PNDM.
    x : Tensor
        The latents that the scheduler was given.
    prediction : tuple of Tensor
        The network's raw answers since the last step, in order: one with both branches in its
        batch, or one for each branch, as the pipeline asks. The first output where a network has
        several; one for each image where it answers so. Empty where it was not asked; the last
        512 MB where no step follows for so long.
    guided : Tensor
        What the scheduler was told as the network's answer, after guidance.
    x_next : Tensor
        The latents that the scheduler gave back.
    """

    index: int
    t: float | None
    sigma: float | None
    sigma_next: float | None
    x: Foreign
    prediction: tuple[Foreign, ...]
    guided: Foreign
    x_next: Foreign

    @property
    def nbytes(self) -> int:
        """Size of what is held."""
        return sum(part.nbytes for part in (self.x, *self.prediction, self.guided, self.x_next))


@dataclass(eq=False)
class Observation:
    """What was seen so far; it grows while the pipeline runs.

    Parameters
    ----------
    pipeline : str
        The class of the pipeline.
    budget : int
        Bytes that ``steps`` may hold.
    steps : list of ObservedStep
        In their order. Of several runs, one after the other: each begins at index 0.
    unkept : int
        Steps that were seen when the budget was used up.
    """

    pipeline: str
    budget: int
    steps: list[ObservedStep] = field(default_factory=list)
    unkept: int = 0
    _nbytes: int = field(default=0, init=False)

    def add(self, step: ObservedStep) -> None:
        """Add a step, as far as the budget allows."""
        self._nbytes += step.nbytes
        if self._nbytes <= self.budget:
            self.steps.append(step)
        else:
            self.unkept += 1

    @property
    def facts(self) -> str:
        """One line: pipeline, steps, shape of the latents, what was not kept."""
        count = len(self.steps)
        parts = [self.pipeline, f"{count} step{'s' if count != 1 else ''}"]
        if self.steps:
            parts.append(f"x {list(self.steps[0].x.shape)}")
        if self.unkept:
            parts.append(
                f"{self.unkept} more not kept, beyond {self.budget / 2**20:.3g} MB: "
                "observe(pipe, budget=...) holds more, on_step sees all"
            )
        return " · ".join(parts)

    def __repr__(self) -> str:
        return f"<Observation: {self.facts}>"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        return {"text/plain": self._text(), "text/html": self._html()}

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(step.index),
                _number(step.t),
                _number(step.sigma),
                _spread([step.x]),
                _spread(step.prediction),
                str(len(step.prediction)),
            )
            for step in self.steps
        ]

    def _text(self) -> str:
        rows = [HEADINGS, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        )
        return "\n".join([repr(self), *lines])

    def _html(self) -> str:
        head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in HEADINGS)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._rows()
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div class="sdnb-observation">{table}{quiet_line(self.facts)}</div>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _spread(tensors: Iterable[Foreign]) -> str:
    values = [tensor.flatten().float() for tensor in tensors]
    if not values:
        return "–"
    std, mean = torch.std_mean(torch.cat(values), correction=0)
    return f"{float(mean):.3g} ± {float(std):.3g}"
