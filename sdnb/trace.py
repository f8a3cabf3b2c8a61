"""Every state of a run: `Trace`, and the `Recorder` that gathers it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from sdnb.shapes import Film, Latents

BUDGET = 512 * 2**20
"""Bytes of network answers that a trace keeps; the states themselves are always kept."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One answer of the network as the sampler got it.

    ``eps`` holds each branch's answer by name; None where the trace's budget was used up.
    """

    sigma: float
    denoised: Latents | None
    eps: Mapping[str, Latents] | None


@dataclass(frozen=True, eq=False)
class Trace:
    """Every state of a run, on the CPU.

    Parameters
    ----------
    sigmas : tuple of float
        The N + 1 levels really taken.
    x : Tensor [N + 1, B, C, h, w]
        The latents at those levels.
    denoised : Tensor [N, B, C, h, w]
        The estimate each step was made from.
    evaluations : tuple of Evaluation
        Every answer of the network, in order.
    """

    sigmas: tuple[float, ...]
    x: Film
    denoised: Film
    evaluations: tuple[Evaluation, ...]


@dataclass(eq=False)
class Recorder:
    """The growing trace; tensors stay on their device until `trace` is called."""

    sigmas: list[float] = field(default_factory=list)
    x: list[Latents] = field(default_factory=list)
    denoised: list[Latents] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    kept_bytes: int = 0

    def state(self, sigma: float, x: Latents) -> None:
        """Add a state that the run reached."""
        self.sigmas.append(sigma)
        self.x.append(x.detach().clone())

    def replace_state(self, x: Latents) -> None:
        """Put other latents in the place of the last state: the run goes on from these."""
        self.x[-1] = x.detach().clone()

    def evaluation(self, sigma: float, denoised: Latents, eps: Mapping[str, Latents]) -> None:
        """Add an answer, as far as the budget allows."""
        self.kept_bytes += denoised.nbytes + sum(part.nbytes for part in eps.values())
        if self.kept_bytes > BUDGET:
            self.evaluations.append(Evaluation(sigma, None, None))
        else:
            kept = {name: part.detach().clone() for name, part in eps.items()}
            self.evaluations.append(Evaluation(sigma, denoised.detach().clone(), kept))

    def trace(self) -> Trace:
        """Return what was gathered, on the CPU."""
        return Trace(
            tuple(self.sigmas),
            _film(self.x, self.x),
            _film(self.denoised, self.x),
            tuple(_on_cpu(evaluation) for evaluation in self.evaluations),
        )


def _film(frames: list[Latents], states: list[Latents]) -> Film:
    if frames:
        return torch.stack(frames).cpu()
    return torch.zeros(0, *(states[0].shape if states else (0, 0, 0, 0)))


def _on_cpu(evaluation: Evaluation) -> Evaluation:
    if evaluation.denoised is None or evaluation.eps is None:
        return evaluation
    eps = {name: part.cpu() for name, part in evaluation.eps.items()}
    return replace(evaluation, denoised=evaluation.denoised.cpu(), eps=eps)
