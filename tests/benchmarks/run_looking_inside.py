"""What looking costs: hooks, traces and attention, as a ratio to diffusers, in one process.

``python -m tests.benchmarks.run_looking_inside``: the same 20 Euler steps with guidance, by
diffusers' pipeline and by sdnb with more and more of it looked at, in turn.
"""

from statistics import median

import torch

import sdnb
from sdnb.events import Hooks
from tests.benchmarks.contest import PROMPT, STEPS, diffusers_pipeline, ratio, take_turns

ROUNDS = 9


def main() -> None:
    pipe, theirs = sdnb.load("tiny"), diffusers_pipeline()
    look = (lambda _event: None,)
    points = Hooks(look, look, look, look, look, look)
    inside = points + sdnb.on_module("mid_block", look[0])

    def ours(**options: object) -> None:
        pipe.run(PROMPT, seed=1, steps=STEPS, sampler="euler", **options)

    contestants = {
        "diffusers": lambda: theirs(PROMPT, num_inference_steps=STEPS, guidance_scale=4.0),
        "sdnb, nothing kept": lambda: ours(keep="none"),
        "states kept": lambda: ours(keep="steps"),
        "full trace": ours,
        "full trace, hooks at all six points": lambda: ours(hooks=points),
        "full trace, hooks, a tap": lambda: ours(hooks=inside),
        "full trace, attention": lambda: ours(attention=True),
    }
    seconds = take_turns(contestants, ROUNDS)
    print(f"{STEPS} steps, {torch.get_num_threads()} threads, median of {ROUNDS} after one more")
    for name, times in seconds.items():
        to_theirs, to_bare = (
            ratio(times, seconds[other]) for other in ("diffusers", "sdnb, nothing kept")
        )
        print(
            f"{name:36} {median(times):6.3f} s  {to_theirs:5.3f} x diffusers  "
            f"{to_bare:5.3f} x nothing kept"
        )


if __name__ == "__main__":
    main()
