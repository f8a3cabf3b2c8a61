"""What benchmarks share: contestants who take turns, and whom sdnb is measured against."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from statistics import median
from time import perf_counter

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

import sdnb
from sdnb.models.checkpoint import locate
from sdnb.models.components import Components

PROMPT, STEPS = "a red circle on a meadow", 20


def take_turns(
    contestants: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each in each round; a first round only warms up.

    What disturbs the machine for a while disturbs all of them: compare them by `ratio`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, work in contestants.items():
            began = perf_counter()
            work()
            seconds[name].append(perf_counter() - began)
    return {name: times[1:] for name, times in seconds.items()}


def ratio(times: list[float], others: list[float]) -> float:
    """Return the median ratio of two contestants' seconds, round by round."""
    return median(a / b for a, b in zip(times, others, strict=True))


def diffusers_pipeline() -> StableDiffusionPipeline:
    """Return diffusers' own pipeline of the embedded model, with Euler's method."""
    pipe = StableDiffusionPipeline.from_pretrained(locate("tiny"), local_files_only=True)
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def bare_steps(parts: Components) -> Iterator[torch.Tensor]:
    """Ask the network as often as a run does, with nothing around it but Euler's step."""
    ids = parts.texts[0].tokenizer(
        ["", PROMPT], padding="max_length", max_length=77, return_tensors="pt"
    )
    embeds = parts.texts[0].network(ids["input_ids"]).last_hidden_state
    sigmas = sdnb.sigmas("karras", STEPS).tolist()
    x = torch.randn(1, 4, 16, 16) * sigmas[0]
    yield x
    for sigma, sigma_next in pairwise(sigmas):
        t = torch.full((2,), parts.noise_schedule.t(sigma))
        scaled = (x / (1 + sigma**2) ** 0.5).expand(2, -1, -1, -1)
        uncond, cond = parts.unet(scaled, t, encoder_hidden_states=embeds).sample.chunk(2)
        x = x + (uncond + 4 * (cond - uncond)) * (sigma_next - sigma)
        yield x


@torch.no_grad()
def bare_picture(parts: Components) -> None:
    """Make a picture of bare network calls."""
    *_, x = bare_steps(parts)
    parts.vae.decode(x / parts.latent.scale)
