"""The pointing game: whether the attention of a noun peaks on the thing it names.

Source: Zhang et al. 2016 (arXiv:1608.00507), section 4.1, played with cross-attention.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import isqrt
from random import Random
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from sdnb.pipeline import Pipeline
from sdnb.training.captions import write_prompt
from sdnb.training.checker import Seen, match_things, read_picture
from sdnb.training.world import SIDE, Scene

MAP = 16
"""Side to which attention maps are brought before they are added."""

MARGIN = 4
"""Pixels by which a peak may miss the box of its thing: half a cell of the map."""

Add = Callable[[Float[Tensor, "L side side"]], None]


def play_pointing_game(pipe: Pipeline, scenes: Sequence[Scene]) -> float | None:
    """Share of the nouns whose attention peaks on their thing.

    Only pictures in which all things asked for are found count; None when there is no such picture.
    """
    random = Random("pointing")
    hits: list[bool] = []
    for seed, scene in enumerate(scenes):
        prompt = write_prompt(scene, random)
        with summed_attention(pipe.components.unet) as maps:
            result = pipe.run(prompt, seed=seed, steps=20, cfg_scale=4.0)
        reading = read_picture(np.asarray(result.images[0]))
        seen = match_things(reading, scene)
        if [thing.kind for thing in seen] != [thing.kind for thing in scene.things]:
            continue
        pieces = pipe.components.tokenizer.tokenize(prompt)
        total = torch.stack(maps).sum(0)
        hits += [is_hit(total[1 + pieces.index(f"{thing.kind}</w>")], thing) for thing in seen]
    return round(sum(hits) / len(hits), 4) if hits else None


def is_hit(attention: Float[Tensor, "side side"], thing: Seen) -> bool:
    """Whether the peak of a map lies in the box of a thing."""
    y, x = divmod(int(attention.argmax()), MAP)
    cell = SIDE / MAP
    left, top, right, bottom = thing.box
    is_inside_x = left - MARGIN <= (x + 0.5) * cell <= right + MARGIN
    is_inside_y = top - MARGIN <= (y + 0.5) * cell <= bottom + MARGIN
    return is_inside_x and is_inside_y


@contextmanager
def summed_attention(unet: Any) -> Iterator[list[Float[Tensor, "L side side"]]]:
    """Collect a map for every layer and evaluation; the layers are as before afterwards.

    The network's last row is taken, which is the prompt's.
    """
    maps: list[Float[Tensor, "L side side"]] = []
    with ExitStack() as stack:
        for name, layer in unet.named_modules():
            if name.endswith("attn2"):
                handle = layer.register_forward_hook(observer(maps.append), with_kwargs=True)
                stack.callback(handle.remove)
        yield maps


def observer(add: Add) -> Callable[..., None]:
    """A forward hook that works out the attention of a layer again and adds its map."""

    # diffusers' attention layers are untyped.
    def observe(layer: Any, args: tuple[Tensor], kwargs: dict[str, Any], _output: Tensor) -> None:
        queries, keys = layer.to_q(args[0][-1]), layer.to_k(kwargs["encoder_hidden_states"][-1])
        queries, keys = (row.unflatten(-1, (layer.heads, -1)) for row in (queries, keys))
        scores = torch.einsum("nhc, lhc -> hnl", queries, keys) * queries.shape[-1] ** -0.5
        attention = scores.softmax(-1).mean(0).T
        side = isqrt(attention.shape[1])
        square = attention.reshape(1, -1, side, side).detach().float()
        add(interpolate(square, (MAP, MAP), mode="bilinear")[0].cpu())

    return observe
