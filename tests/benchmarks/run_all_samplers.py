"""What loop and sampler add to the network calls, for every sampler.

``python -m tests.benchmarks.run_all_samplers``: from the first question to the last step of a
run of the embedded model, the time outside the network as a share of the time inside it. Both
are taken in the same run, so a machine that is busy elsewhere hardly changes the share. Beside it
how much longer the run takes than a loop written by hand that steps as simply as can be.
"""

from statistics import median
from time import perf_counter

import torch

import sdnb
from sdnb.events import StartEvent, StepEvent
from sdnb.models.components import Components
from sdnb.registry import SAMPLERS
from tests.benchmarks.contest import PROMPT, STEPS, bare_steps

ROUNDS = 5


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
    bare = median([bare_share(pipe.components, clock) for _ in range(ROUNDS + 1)][1:])
    print(f"{'':32} of the network, over the loop by hand")
    print(f"{'(euler by hand)':32} {bare:6.2%}")
    for name in SAMPLERS.names():
        share = median([loop_share(pipe, clock, name) for _ in range(ROUNDS + 1)][1:])
        print(f"{name:32} {share:6.2%} {(1 + share) / (1 + bare) - 1:6.2%}", flush=True)


def loop_share(pipe, clock: Clock, name: str) -> float:
    run = pipe.start(PROMPT, seed=1, steps=STEPS, sampler=name)
    for event in run:
        if isinstance(event, StartEvent):
            clock.inside, began = 0.0, perf_counter()
        elif isinstance(event, StepEvent):
            ended = perf_counter()
    return (ended - began) / clock.inside - 1


def bare_share(parts: Components, clock: Clock) -> float:
    steps = bare_steps(parts)
    next(steps)
    clock.inside, began = 0.0, perf_counter()
    for _ in steps:
        continue
    return (perf_counter() - began) / clock.inside - 1


if __name__ == "__main__":
    main()
