"""The only entry to the network: questions in, the noise each branch sees out.

All questions of a call, with all their branches, go through the network as one batch with a
timestep for each row. Guidance and hooks come before and after, one run at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from math import lcm

import torch
from diffusers.models.embeddings import get_timestep_embedding
from jaxtyping import Float
from torch import Tensor

from sdnb.conditioning import Branches, Conditioning
from sdnb.control import Control
from sdnb.diffusion.prediction import PREDICTIONS, input_scale
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.models.components import Components, Network
from sdnb.shapes import Latents

Rows = Float[Tensor, "rows C h w"]

MOST_REPEATS = 4
"""How often a text may stand there for the sake of a longer one in the same call."""


def unwatched(_network: Network, _question: "Question") -> AbstractContextManager[None]:
    """Leave the network alone."""
    return nullcontext()


@dataclass(frozen=True, eq=False)
class Question:
    """A request for the noise in ``x`` [B, C, h, w] at level ``sigma``, for each branch.

    Parameters
    ----------
    t : float
        The training timestep of that level; the network is given it rounded.
    beside : Tensor [B, K, h, w] or None
        What the network is shown beside ``x``, as it is, where it has more channels.
    taps, watch : callable
        Give contexts in which the network answers: what changes its inside, and what only
        looks. They restore what they touch.
    loras : tuple of Lora
        What the network wears meanwhile, as `Adapters.resolved` returns it.
    controls : tuple of Control
        What steers it, as `ControlNets.resolved` returns it.
    ip_adapters : tuple of IPAdapter
        What it is shown beside the text, as `IPAdapters.resolved` returns it.
    cfg_scale : float
        The guidance, for networks that are told it.
    """

    x: Latents
    sigma: float
    t: float
    branches: Branches
    beside: Float[Tensor, "B _ h w"] | None = None
    taps: "Inside" = unwatched
    watch: "Inside" = unwatched
    loras: tuple[Lora, ...] = ()
    controls: tuple[Control, ...] = ()
    ip_adapters: tuple[IPAdapter, ...] = ()
    cfg_scale: float = 1.0

    @property
    def rows(self) -> Mapping[str, slice]:
        """Where each branch stands in the batch of a question that is asked alone."""
        count = len(self.x)
        return {name: slice(i * count, (i + 1) * count) for i, name in enumerate(self.branches)}

    @property
    def is_watched(self) -> bool:
        """Whether the network's inside is looked at; then it is asked alone."""
        return self.taps is not unwatched or self.watch is not unwatched


Inside = Callable[[Network, Question], AbstractContextManager[None]]


Asked = tuple[Question, str, Conditioning]
"""A question with one of its branches, by its name."""


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
        if len(questions) > 1 and not _can_share_a_call(questions):
            return [answer for question in questions for answer in self.differentiable([question])]
        if _is_uneven(questions):
            return [self._by_branch(question) for question in questions]
        asked = [(each, *named) for each in questions for named in each.branches.items()]
        rows = [len(question.x) for question, _, _ in asked]
        first, dtype = questions[0], self.components.dtype
        xs = [torch.cat([question.x] * len(question.branches)) for question in questions]
        scales = [input_scale(question.sigma) for question in questions]
        shown = torch.cat([x * scale for x, scale in zip(xs, scales, strict=True)]).to(dtype)
        t = _column([float(round(question.t)) for question, _, _ in asked], rows, first.x)
        embeds = _together([cond.embeds for _, _, cond in asked]).to(dtype)
        told = {"encoder_hidden_states": embeds, **self._told_beside(asked, rows, first.x)}
        adapters = self.components.ip_adapters
        rows_of = [(name, count) for (_, name, _), count in zip(asked, rows, strict=True)]
        pictures = adapters.told(first.ip_adapters, embeds, rows_of)
        self._bring(first)  # in the place of the encoder that looked at pictures
        steering = self.components.controlnets.residuals(first.controls, shown, t, told)
        guided = self._told_guidance(asked, rows)
        told |= pictures
        network = self._network(first)
        wearing = self.components.adapters.in_unet(first.loras)
        looking = adapters.worn(first.ip_adapters)
        with wearing, looking, first.taps(network, first), first.watch(network, first):
            output = network(_beside(shown, asked), t, **told, **guided, **steering).sample
        if network is self.components.compiled:
            output = output.clone()  # the next call writes over the answer of this one
        parts = output.to(first.x.dtype).split([len(x) for x in xs])
        return [self._read(*each) for each in zip(questions, xs, parts, strict=True)]

    def _read(self, question: Question, x: Rows, output: Rows) -> Answer:
        """Return the noise that each branch sees; ``x`` and ``output`` hold rows of them all."""
        to_eps = PREDICTIONS[self.components.prediction]
        eps = to_eps(output, x, question.sigma).chunk(len(question.branches))
        return dict(zip(question.branches, eps, strict=True))

    def _bring(self, question: Question) -> None:
        """Have on the device what answers a question: the U-Net, and what stands beside it."""
        parts = self.components
        parts.bring(
            parts.unet,
            *parts.controlnets.networks(question.controls),
            *parts.ip_adapters.networks(question.ip_adapters),
        )

    def _network(self, question: Question) -> Network:
        """Return the compiled U-Net where it will do: hooks inside it would silently not fire."""
        compiled = self.components.compiled
        is_plain = question.is_watched or torch.is_grad_enabled() or bool(question.ip_adapters)
        return self.components.unet if compiled is None or is_plain else compiled

    def _told_beside(
        self,
        asked: Sequence[Asked],
        rows: Sequence[int],
        x: Latents,
    ) -> dict[str, dict[str, Tensor]]:
        """Return what networks that know of sizes are told of them, and of the text in short."""
        time_ids, factor = self.components.family.time_ids, self.components.latent.factor
        if time_ids is None:
            return {}
        height, width = (float(side * factor) for side in x.shape[-2:])
        ids = [time_ids(height, width, name) for _, name, _ in asked]
        columns = [_column(column, rows, x)[:, None] for column in zip(*ids, strict=True)]
        pooled = torch.cat([cond.pooled for _, _, cond in asked if cond.pooled is not None])
        told = {"text_embeds": pooled.to(self.components.dtype), "time_ids": torch.cat(columns, 1)}
        return {"added_cond_kwargs": told}

    def _told_guidance(self, asked: Sequence[Asked], rows: Sequence[int]) -> dict[str, Tensor]:
        """Return what networks that know the guidance are told of it, for each row.

        Source: Luo et al. 2023 (arXiv:2310.04378), section 4.2: ``cfg_scale - 1`` in sines.
        """
        if not self.components.is_told_guidance:
            return {}
        width = self.components.unet.config.time_cond_proj_dim
        scales = [question.cfg_scale - 1 for question, _, _ in asked]
        each = torch.tensor(scales).repeat_interleave(torch.tensor(rows))
        waves: Tensor = get_timestep_embedding(each, width, downscale_freq_shift=1, scale=1000)
        parts = self.components
        return {"timestep_cond": waves.to(parts.device, parts.dtype, non_blocking=True)}

    def _by_branch(self, question: Question) -> Answer:
        return {
            name: self.differentiable([replace(question, branches={name: cond})])[0][name]
            for name, cond in question.branches.items()
        }


def _can_share_a_call(questions: Sequence[Question]) -> bool:
    is_watched = any(question.is_watched for question in questions)
    worn = {(each.loras, each.controls, each.ip_adapters) for each in questions}
    return not is_watched and len(worn) == 1


def _beside(x: Latents, asked: Sequence[Asked]) -> Float[Tensor, "B _ h w"]:
    """Put beside the latents what some networks are shown there."""
    beside = [question.beside for question, _, _ in asked if question.beside is not None]
    return torch.cat([x, torch.cat(beside).to(x)], dim=1) if beside else x


def _is_uneven(questions: Sequence[Question]) -> bool:
    """Whether texts would have to be repeated too often to be asked together."""
    branches = [cond for question in questions for cond in question.branches.values()]
    lengths = {cond.embeds.shape[1] for cond in branches}
    is_watched = any(question.is_watched for question in questions)
    return not is_watched and len(lengths) > 1 and lcm(*lengths) > MOST_REPEATS * max(lengths)


def _together(embeds: Sequence[Float[Tensor, "_b _l D"]]) -> Float[Tensor, "rows L D"]:
    """Join texts of different lengths: shorter ones are repeated.

    Attention to a text that stands there twice is attention to it once: its shares halve.
    """
    length = lcm(*(each.shape[1] for each in embeds))
    return torch.cat(
        [
            each if each.shape[1] == length else each.repeat(1, length // each.shape[1], 1)
            for each in embeds
        ]
    )


def _column(values: Sequence[float], rows: Sequence[int], x: Latents) -> Float[Tensor, " rows"]:
    each = [value for value, count in zip(values, rows, strict=True) for _ in range(count)]
    return torch.tensor(each, dtype=x.dtype).to(x.device, non_blocking=True)
