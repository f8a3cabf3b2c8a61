"""Pictures of many different prompts, computed together by sdnb's own pipeline."""

from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from sdnb.events import Hooks, ImageEvent
from sdnb.lane import Lane, Sent, Yielded
from sdnb.models.denoiser import Denoiser, Question
from sdnb.pipeline import Pipeline

Generate = Callable[[Sequence[str], Sequence[int]], UInt8[np.ndarray, "N H W 3"]]
"""(prompts, seeds) -> pictures."""

Events = Generator[Yielded, Sent, None]


def generator_of(
    pipe: Pipeline, *, steps: int = 20, cfg_scale: float = 4.0, batch: int = 16
) -> Generate:
    """A function from prompts and seeds to pictures; the sampler is the pipeline's default."""

    def generate(prompts: Sequence[str], seeds: Sequence[int]) -> UInt8[np.ndarray, "N H W 3"]:
        pictures = []
        for start in range(0, len(prompts), batch):
            requests = [
                pipe.start(prompt, seed=seed, steps=steps, cfg_scale=cfg_scale).request
                for prompt, seed in zip(
                    prompts[start : start + batch], seeds[start : start + batch], strict=True
                )
            ]
            denoiser = Denoiser(pipe.components)
            pictures.append(run_together([Lane(denoiser, r, Hooks()) for r in requests], denoiser))
        return np.concatenate(pictures)

    return generate


def run_together(lanes: Sequence[Lane], denoiser: Denoiser) -> UInt8[np.ndarray, "N H W 3"]:
    """Run lanes of one length side by side: their questions make one network call."""
    events = [lane.events() for lane in lanes]
    said = [advance(event, None) for event in events]
    while all(isinstance(word, Question) for word in said):
        answers = denoiser([word for word in said if isinstance(word, Question)])
        said = [advance(event, answer) for event, answer in zip(events, answers, strict=True)]
    images = torch.cat([word.images for word in said if isinstance(word, ImageEvent)])
    return (images * 255).round().permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()


def advance(events: Events, answer: Sent) -> Question | ImageEvent:
    """Go on to a lane's next question, or to its pictures."""
    said = events.send(answer)
    while not isinstance(said, Question | ImageEvent):
        said = next(events)
    return said
