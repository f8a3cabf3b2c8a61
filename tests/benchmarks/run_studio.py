"""What the studio costs, and how fast it answers.

``python -m tests.benchmarks.run_studio``: 30 steps by plain Python and by the studio with its
panel (previews, progress and film strip, sent to nobody), in turn; then the time from an action
to its effect, and what opening a panel takes.
"""

from statistics import median
from time import perf_counter

import torch

import sdnb
from sdnb.labs.studio import Studio
from sdnb.panels.studio import StudioPanel
from tests.benchmarks.contest import PROMPT, ratio, take_turns

STEPS, ROUNDS = 30, 9


def main() -> None:
    pipe = sdnb.load("tiny")
    began = perf_counter()
    panel = StudioPanel(Studio(pipe))
    opened = perf_counter() - began
    panel.surface.observe(lambda _: panel._hear({"do": "drawn"}, []), "about")
    studio = panel.lab

    def held() -> None:
        studio.generate(prompt=PROMPT, steps=STEPS, seed=1)
        studio.wait()

    seconds = take_turns(
        {"plain Python": lambda: pipe.run(PROMPT, steps=STEPS, seed=1), "studio": held}, ROUNDS
    )
    print(f"{STEPS} steps, {torch.get_num_threads()} threads, median of {ROUNDS} after one more")
    for name, times in seconds.items():
        print(f"{name:14} {median(times):6.3f} s  {ratio(times, seconds['plain Python']):5.3f} x")
    print(f"opening a panel on a loaded model {1000 * opened:.0f} ms")

    waits = []
    for _ in range(ROUNDS):
        studio.generate(prompt=PROMPT, steps=900, seed=1)
        while studio.progress is None or studio.progress.step < 3:
            studio.wait(0.01)
        asked = perf_counter()
        studio.pause()
        while studio.phase != "paused":
            studio.wait(0.001)
        waits.append(perf_counter() - asked)
        studio.wait()
    print(f"pause: {1000 * median(waits):.0f} ms, at most {1000 * max(waits):.0f} ms")


if __name__ == "__main__":
    main()
