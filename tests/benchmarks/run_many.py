"""Runs one after the other: ``python -m tests.benchmarks.run_many [500]``.

Says by how much the process grew meanwhile, and whether threads, hooks or file handles were left;
ends with an error beyond 20 MB. `tests/hostile/test_faults.py` makes 60 of the same runs.
"""

import gc
import os
import sys
import threading
import time

import sdnb
from tests.hostile.conftest import resident

MOST = 20.0  # MB


def held(pipe: sdnb.Pipeline) -> tuple[int, int, int]:
    """Count threads, file handles and hooks of the network."""
    hooks = sum(len(module._forward_hooks) for module in pipe.components.unet.modules())
    return threading.active_count(), len(os.listdir("/proc/self/fd")), hooks  # noqa: PTH208


def main(count: int) -> None:
    """Draw ``count`` pictures and say what is left of them."""
    pipe = sdnb.load("tiny")
    request = sdnb.GenerationRequest(seed=7, steps=1, cfg_scale=1, width=16, height=16)
    for _ in range(20):
        pipe.run(request, keep="none")
    gc.collect()
    before, began, memory = held(pipe), time.perf_counter(), resident()
    for _ in range(count):
        pipe.run(request, keep="none")
    gc.collect()
    grown, seconds = resident() - memory, time.perf_counter() - began
    print(f"{count} runs in {seconds:.0f} s: {grown:.1f} MB grown, left {held(pipe)} of {before}")
    if grown >= MOST or held(pipe) != before:
        raise SystemExit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
