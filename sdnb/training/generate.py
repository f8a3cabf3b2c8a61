"""Pictures of many different prompts, computed together by sdnb's own pipeline."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from jaxtyping import UInt8

from sdnb.asking import Sent, Yielded
from sdnb.events import Hooks, ImageEvent
from sdnb.lane import Lane
from sdnb.models.denoiser import Denoiser, Question
from sdnb.pipeline import Pipeline
from sdnb.trace import Recorder
from sdnb.training.computing import usable_cores

Generate = Callable[[Sequence[str], Sequence[int]], UInt8[np.ndarray, "N H W 3"]]
"""(prompts, seeds) -> pictures."""

Events = Generator[Yielded, Sent, None]
Begun = tuple[Events, Question | ImageEvent]
"""A lane's events, and what it said last."""


def generator_of(
    pipe: Pipeline, *, steps: int = 20, cfg_scale: float = 4.0, batch: int = 12
) -> Generate:
    """A function from prompts and seeds to pictures, made by the pipeline's default sampler.

    Batches are computed side by side, one for each core (see `single_threaded`); texts are
    encoded before, one after another, because a tokenizer serves one thread at a time.
    """
    denoiser = Denoiser(pipe.components)

    def begin(prompt: str, seed: int) -> Begun:
        run = pipe.start(prompt, seed=seed, steps=steps, cfg_scale=cfg_scale)
        events = Lane(denoiser, run.request, Hooks(), recorder=Recorder("none")).events()
        return events, advance(events, None)

    def generate(prompts: Sequence[str], seeds: Sequence[int]) -> UInt8[np.ndarray, "N H W 3"]:
        begun = [begin(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        batches = [begun[start : start + batch] for start in range(0, len(begun), batch)]
        with ThreadPoolExecutor(usable_cores()) as pool:
            return np.concatenate(list(pool.map(partial(finish, denoiser), batches)))

    return generate


def finish(denoiser: Denoiser, begun: Sequence[Begun]) -> UInt8[np.ndarray, "N H W 3"]:
    """Run lanes of one length to their ends: their questions make one network call."""
    events, said = zip(*begun, strict=True)
    while all(isinstance(word, Question) for word in said):
        answers = denoiser(said)
        said = tuple(advance(each, answer) for each, answer in zip(events, answers, strict=True))
    images = torch.cat([word.images for word in said])
    return (images * 255).round().permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()


def advance(events: Events, answer: Sent) -> Question | ImageEvent:
    """Go on to a lane's next question, or to its pictures."""
    said = events.send(answer)
    while not isinstance(said, Question | ImageEvent):
        said = next(events)
    return said
