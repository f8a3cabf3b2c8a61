"""Where words look: cross-attention that tells its shares, and a loss that they are graded by.

Most of what goes wrong with two things is that the colour or kind of one is read where the
other one stands. The world knows where each thing is, so a word that looks past its own thing
can be told. Source: Wang et al. 2023 (arXiv:2312.03626), the token-level loss.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, scaled_dot_product_attention

from sdnb.training.captions import SIDE_WORDS
from sdnb.training.emphasis import THINGS
from sdnb.training.tokenizer import Tokenizer
from sdnb.training.world import Scene

Shares = Float[Tensor, "B N L"]
"""For each of N places of a layer, its attention to L positions of the text; they add up to 1."""

UNSEEN = 1e-12
"""A position that gets no more attention than this misses its thing."""

Layer = Any


class TellingAttention:
    """Attention that appends its shares to a list, if it reads text and is given one.

    An attention processor as diffusers has them: the list comes from the caller's
    ``cross_attention_kwargs``. The shares are means over the layer's heads.
    """

    def __call__(
        self,
        layer: Layer,
        hidden_states: Float[Tensor, "B N C"],
        encoder_hidden_states: Float[Tensor, "B L D"] | None = None,
        shares: list[Tensor] | None = None,
        **_mask: None,
    ) -> Float[Tensor, "B N C"]:
        """What the layer answers at each place."""
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        projections = (layer.to_q(hidden_states), layer.to_k(source), layer.to_v(source))
        queries, keys, values = (
            x.unflatten(2, (layer.heads, -1)).transpose(1, 2) for x in projections
        )
        if encoder_hidden_states is None or shares is None:
            mixed = scaled_dot_product_attention(queries, keys, values)
        else:
            weights = (layer.scale * queries @ keys.mT).softmax(-1)
            shares.append(weights.float().mean(1))
            mixed = weights @ values
        answer: Tensor = layer.to_out[0](mixed.transpose(1, 2).flatten(2))
        return answer


def name_things(
    tokenizer: Tokenizer, ids: Int[Tensor, "B L"], scenes: Sequence[Scene]
) -> Bool[Tensor, "B T L"]:
    """Which positions of each text are about each thing of its scene.

    A kind or colour names its thing; the word of a side is about the first of two, which
    only it can know to be there: a text is read from left to right.
    """
    named = torch.zeros(len(scenes), THINGS, ids.shape[1], dtype=torch.bool)
    for row, scene in enumerate(scenes):
        words: list[tuple[str, ...]] = [(thing.kind, thing.colour) for thing in scene.things]
        if scene.relation is not None:
            words[0] += SIDE_WORDS[scene.relation]
        for i, about in enumerate(words):
            ids_about = tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in about])
            named[row, i] = torch.isin(ids[row], torch.tensor(ids_about))
    return named


def grounding_loss(
    layers: Sequence[Shares],
    covers: Float[Tensor, "B T h w"],
    named: Bool[Tensor, "B T L"],
) -> Float[Tensor, ""]:
    """Mean square of the part of each naming word's attention that misses its thing.

    A layer's shares are taken over its own places, which halve those of the covers so often as
    it needs; 0 where no text names anything.
    """
    if not named.any():
        return covers.new_zeros(())
    losses = []
    for shares in layers:
        cover = adaptive_avg_pool2d(covers, isqrt(shares.shape[1])).flatten(2)
        hit = (cover @ shares) / shares.sum(1, keepdim=True).clamp_min(UNSEEN)
        losses.append((1 - hit[named]).square().mean())
    return torch.stack(losses).mean()
