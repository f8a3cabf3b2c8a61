"""Pictures of many different prompts, computed together by sdnb's own pipeline."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from jaxtyping import UInt8

from sdnb.lockstep import Round, lockstep
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.pipeline import Pipeline
from sdnb.training.computing import usable_cores

Generate = Callable[[Sequence[str], Sequence[int]], UInt8[np.ndarray, "N H W 3"]]
"""(prompts, seeds) -> pictures."""


def generator_of(
    pipe: Pipeline, *, steps: int = 20, cfg_scale: float = 4.0, batch: int = 12
) -> Generate:
    """A function from prompts and seeds to pictures, made by the pipeline's default sampler.

    Batches are computed side by side, one for each core (see `single_threaded`); the first
    round, which encodes texts, comes before: a tokenizer serves one thread at a time.
    """
    denoiser = Denoiser(pipe.components)

    def generate(prompts: Sequence[str], seeds: Sequence[int]) -> UInt8[np.ndarray, "N H W 3"]:
        runs = [
            pipe.start(prompt, seed=seed, steps=steps, cfg_scale=cfg_scale, keep="none")
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        batches = [
            lockstep(Networks(denoiser), runs[first : first + batch])
            for first in range(0, len(runs), batch)
        ]
        with pipe.turn():  # for the threads of the pool as well
            for rounds in batches:
                exhaust(islice(rounds, 1))
            with ThreadPoolExecutor(usable_cores()) as pool:
                list(pool.map(exhaust, batches))
        return np.stack([np.asarray(run.finish().images[0]) for run in runs])

    return generate


def exhaust(rounds: Iterator[Round]) -> None:
    """Take all rounds, or raise what ended one of them."""
    for each in rounds:
        for error in each.failed.values():
            raise error
