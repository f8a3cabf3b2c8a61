"""How long a picture takes, as a ratio to what else one would run, in one process.

``python -m tests.benchmarks.run_against_diffusers``: the same 20 Euler steps with guidance by
sdnb, by diffusers' pipeline, and as bare network calls in a hand-written loop, in turn.
"""

from statistics import median

import torch

import sdnb
from tests.benchmarks.contest import (
    PROMPT,
    STEPS,
    bare_picture,
    diffusers_pipeline,
    ratio,
    take_turns,
)

ROUNDS = 7


def main() -> None:
    pipe, theirs = sdnb.load("tiny"), diffusers_pipeline()
    contestants = {
        "bare network calls": lambda: bare_picture(pipe.components),
        "sdnb": lambda: pipe.run(PROMPT, seed=1, steps=STEPS, sampler="euler"),
        "diffusers": lambda: theirs(PROMPT, num_inference_steps=STEPS, guidance_scale=4.0),
    }
    seconds = take_turns(contestants, ROUNDS)
    print(f"{STEPS} steps, {torch.get_num_threads()} threads, median of {ROUNDS} after one more")
    for name, times in seconds.items():
        to_bare = ratio(times, seconds["bare network calls"])
        print(f"{name:20} {median(times):6.3f} s   {to_bare:5.3f} x bare")


if __name__ == "__main__":
    main()
