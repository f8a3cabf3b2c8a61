"""The only entry to the network: questions in, the noise each branch sees out.

All questions of a call, with all their branches, go through the network as one batch with a
timestep for each row. Guidance and hooks come before and after, one run at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdnb.conditioning import Branches
from sdnb.diffusion.prediction import PREDICTIONS, input_scale
from sdnb.models.components import Components
from sdnb.shapes import Latents


@dataclass(frozen=True, eq=False)
class Question:
    """A request for the noise in ``x`` [B, C, h, w] at level ``sigma``, for each branch.

    ``t`` is the training timestep of that level; the network is given it rounded.
    """

    x: Latents
    sigma: float
    t: float
    branches: Branches


Answer = Mapping[str, Latents]
"""``eps`` [B, C, h, w] in float32 by the name of its branch."""


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A checkpoint's network behind the one question it can answer."""

    components: Components

    def __call__(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer all questions (of one latent size) in one network call, without gradients."""
        with torch.no_grad():
            return self.differentiable(questions)

    def differentiable(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer with gradients flowing back to each question's ``x``."""
        asked = [(question, cond) for question in questions for cond in question.branches.values()]
        x = torch.cat([question.x for question, _ in asked])
        rows = [len(question.x) for question, _ in asked]
        sigma = _column([question.sigma for question, _ in asked], rows, x)
        t = _column([float(round(question.t)) for question, _ in asked], rows, x)
        embeds = torch.cat([cond.embeds for _, cond in asked])
        dtype = self.components.dtype
        output = self.components.unet(
            (x * input_scale(sigma)).to(dtype),
            t.flatten(),
            encoder_hidden_states=embeds.to(dtype),
        ).sample
        eps = PREDICTIONS[self.components.prediction](output.to(x.dtype), x, sigma)
        answers = iter(torch.split(eps, rows))
        return [{name: next(answers) for name in question.branches} for question in questions]


def _column(values: Sequence[float], rows: Sequence[int], x: Latents) -> Tensor:
    each = [value for value, count in zip(values, rows, strict=True) for _ in range(count)]
    return torch.tensor(each, dtype=x.dtype).to(x.device, non_blocking=True).reshape(-1, 1, 1, 1)
