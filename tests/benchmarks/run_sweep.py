"""How many pictures a second come from 1 and from 2 workers of one thread each.

``python -m tests.benchmarks.run_sweep [--cells 48] [--steps 20] [--json FILE]``: a row of seeds on
the embedded model, computed by a cluster on this machine, and in lockstep by this process with one
thread, in turn. Starting processes and loading checkpoints is not counted: each computes once
before.
"""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from distributed import Client, LocalCluster

import sdnb
from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Engine, Lockstep
from sdnb.comparison.plan import Plan, cross
from sdnb.comparison.sweep import Workers
from sdnb.request import GenerationRequest

PROMPT, ROUNDS, WORKERS = "a large blue house on a meadow", 3, (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=48, help="how many pictures")
    parser.add_argument("--steps", type=int, default=20, help="how many steps each")
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    request = GenerationRequest(prompt=PROMPT, steps=flags.steps)
    figures = measure(cross(request, {"seed": list(range(flags.cells))}))
    print(f"{flags.cells} pictures of {flags.steps} steps, median of {ROUNDS} after one more")
    for name, value in figures.items():
        print(f"{name:28} {value:.3g} pictures a second")
    if flags.json:
        flags.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(plan: Plan) -> dict[str, float]:
    """Return the throughput of each way to compute a plan, taken in turn."""
    with ExitStack() as stack:
        engines: dict[str, Engine] = {"lockstep here": Lockstep(sdnb.load("tiny"), "none")}
        for count in WORKERS:
            cluster = stack.enter_context(local_cluster(count))
            client = stack.enter_context(Client(cluster, set_as_default=False))
            engines[f"workers: {count}"] = Workers("tiny", client, "none")
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(ROUNDS + 1):
            for name, engine in engines.items():
                seconds[name].append(timed(plan, engine))
    return {name: len(plan.cells) / median(each[1:]) for name, each in seconds.items()}


def local_cluster(count: int) -> LocalCluster:
    """Start processes of one thread each."""
    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
    )


def timed(plan: Plan, engine: Engine) -> float:
    """Compute all cells; returns the seconds that took. A cell that fails fails the benchmark."""
    began = perf_counter()
    comparison = Comparison(plan, engine).resume()
    seconds = perf_counter() - began
    if comparison.errors:
        raise next(iter(comparison.errors.values()))
    return seconds


if __name__ == "__main__":
    main()
