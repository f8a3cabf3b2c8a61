"""What loop and sampler add to the network calls, for every sampler.

``python -m tests.benchmarks.run_all_samplers``: from the first question to the last step of a
run of the embedded model, the time outside the network as a share of the time inside it. Both
are taken in the same run, so a machine that is busy elsewhere hardly changes the share. The
last line is a loop written by hand that asks as often and steps as simply as can be.
"""

from itertools import pairwise
from statistics import median
from time import perf_counter

import torch

import sdnb
from sdnb.events import StartEvent, StepEvent
from sdnb.registry import SAMPLERS

PROMPT, STEPS, ROUNDS = "a red circle on a meadow", 20, 5


class Clock:
    """Adds up the time spent inside the network."""

    def __init__(self, unet):
        self.inside = self.began = 0.0
        unet.register_forward_pre_hook(self.enter)
        unet.register_forward_hook(self.leave)

    def enter(self, *_call):
        self.began = perf_counter()

    def leave(self, *_call):
        self.inside += perf_counter() - self.began


def main() -> None:
    pipe = sdnb.load("tiny")
    clock = Clock(pipe.components.unet)
    print(f"{STEPS} steps, {torch.get_num_threads()} threads, median of {ROUNDS} runs")
    for name in SAMPLERS.names():
        shares = [loop_share(pipe, clock, name) for _ in range(ROUNDS + 1)][1:]
        print(f"{name:32} {median(shares):6.2%}", flush=True)
    shares = [bare_share(pipe.components, clock) for _ in range(ROUNDS + 1)][1:]
    print(f"{'(euler by hand)':32} {median(shares):6.2%}")


def loop_share(pipe, clock: Clock, name: str) -> float:
    run = pipe.start(PROMPT, seed=1, steps=STEPS, sampler=name)
    for event in run:
        if isinstance(event, StartEvent):
            clock.inside, began = 0.0, perf_counter()
        elif isinstance(event, StepEvent):
            ended = perf_counter()
    return (ended - began) / clock.inside - 1


@torch.no_grad()
def bare_share(parts, clock: Clock) -> float:
    ids = parts.tokenizer(["", PROMPT], padding="max_length", max_length=77, return_tensors="pt")
    embeds = parts.text_encoder(ids["input_ids"]).last_hidden_state
    sigmas = sdnb.sigmas("karras", STEPS).tolist()
    x = torch.randn(1, 4, 16, 16) * sigmas[0]
    clock.inside, began = 0.0, perf_counter()
    for sigma, sigma_next in pairwise(sigmas):
        t = torch.full((2,), parts.noise_schedule.t(sigma))
        scaled = (x / (1 + sigma**2) ** 0.5).expand(2, -1, -1, -1)
        uncond, cond = parts.unet(scaled, t, encoder_hidden_states=embeds).sample.chunk(2)
        x = x + (uncond + 4 * (cond - uncond)) * (sigma_next - sigma)
    return (perf_counter() - began) / clock.inside - 1


if __name__ == "__main__":
    main()
