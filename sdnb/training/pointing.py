"""The pointing game: whether the attention of a noun peaks on the thing it names.

Source: Zhang et al. 2016 (arXiv:1608.00507), section 4.1, played with cross-attention.
"""

from collections.abc import Sequence
from random import Random

import numpy as np

from sdnb.pipeline import Pipeline
from sdnb.shapes import AttentionMap
from sdnb.training.captions import write_prompt
from sdnb.training.checker import Seen, match_things, read_picture
from sdnb.training.world import SIDE, Scene


def play_pointing_game(pipe: Pipeline, scenes: Sequence[Scene]) -> float | None:
    """Share of the nouns whose attention peaks on their thing.

    Only pictures in which all things asked for are found count; None when there is no such picture.
    """
    random = Random("pointing")
    hits: list[bool] = []
    for seed, scene in enumerate(scenes):
        result = pipe.run(write_prompt(scene, random), seed=seed, attention=True, keep="none")
        seen = match_things(read_picture(np.asarray(result.images[0])), scene)
        if result.attention and [thing.kind for thing in seen] == [t.kind for t in scene.things]:
            hits += [is_hit(result.attention.map(thing.kind), thing) for thing in seen]
    return round(sum(hits) / len(hits), 4) if hits else None


def is_hit(attention: AttentionMap, thing: Seen) -> bool:
    """Whether the peak of a map lies in the box of a thing; it may miss by half of its cell."""
    y, x = divmod(int(attention.argmax()), attention.shape[1])
    cell = SIDE / attention.shape[1]
    left, top, right, bottom = thing.box
    is_inside_x = left - cell / 2 <= (x + 0.5) * cell <= right + cell / 2
    is_inside_y = top - cell / 2 <= (y + 0.5) * cell <= bottom + cell / 2
    return is_inside_x and is_inside_y
