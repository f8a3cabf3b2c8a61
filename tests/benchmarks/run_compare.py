"""How long a comparison takes, as a ratio to the same pictures one after another.

``python -m tests.benchmarks.run_compare [--json FILE]``: nine samplers, one prompt, 20 steps; a
row of guidance scales; a grid of step counts and samplers. Each in lockstep, then one after
another with sdnb, and the samplers with diffusers too, in one process, in turn.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from diffusers import StableDiffusionPipeline, schedulers

import sdnb
from sdnb.comparison.compare import Comparison
from sdnb.models.checkpoint import locate
from sdnb.pipeline import Pipeline
from sdnb.result import Result

PROMPT, ROUNDS = "a large blue house on a meadow", 3

PEERS = {
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler_ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm_2": "KDPM2DiscreteScheduler",
    "dpm_2_ancestral": "KDPM2AncestralDiscreteScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "lms": "LMSDiscreteScheduler",
    "uni_pc": "UniPCMultistepScheduler",
}
"""Nine samplers, and what diffusers calls them: as many network calls each."""

GRIDS = {
    "nine samplers": {"sampler": list(PEERS), "steps": [20]},
    "cfg 1 to 12": {"cfg_scale": [float(cfg) for cfg in range(1, 13)], "steps": [20]},
    "5 step counts x 4 samplers": {
        "steps": [4, 8, 12, 16, 20],
        "sampler": ["ddim", "euler", "heun", "dpmpp_2m"],
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    target = parser.parse_args().json
    pipe = sdnb.load("tiny")
    theirs = StableDiffusionPipeline.from_pretrained(locate("tiny"), local_files_only=True)
    theirs.set_progress_bar_config(disable=True)
    figures = {name: measure(pipe, axes) for name, axes in GRIDS.items()}
    seconds = median(timed(lambda: draw_theirs(theirs)) for _ in range(ROUNDS))
    figures["nine samplers"]["to diffusers"] = figures["nine samplers"]["lockstep, s"] / seconds
    print(f"{torch.get_num_threads()} threads, median of {ROUNDS} after one more")
    for name, row in figures.items():
        print(f"{name:28}", "  ".join(f"{key} {value:.3g}" for key, value in row.items()))
    if target:
        target.write_text(json.dumps(figures, indent=2) + "\n")


def measure(pipe: Pipeline, axes: dict[str, list[object]]) -> dict[str, float]:
    """Draw a grid together and one after another, in turn; compare times and pictures."""
    seconds: dict[str, list[float]] = {"together": [], "alone": []}
    for _ in range(ROUNDS + 1):
        began = perf_counter()
        comparison = sdnb.compare(pipe, PROMPT, seed=9, keep="none", **axes)
        seconds["together"].append(perf_counter() - began)
        began = perf_counter()
        alone = [pipe.run(cell.request, keep="none") for cell in comparison.plan.cells]
        seconds["alone"].append(perf_counter() - began)
    ratios = zip(seconds["together"][1:], seconds["alone"][1:], strict=True)
    return {
        "cells": len(alone),
        "calls": len(comparison.calls),
        "evaluations": sum(result.evaluations for result in alone),
        "lockstep, s": median(seconds["together"][1:]),
        "to one after another": median(a / b for a, b in ratios),
        "worst difference": worst_difference(comparison, alone),
    }


def worst_difference(comparison: Comparison, alone: list[Result]) -> float:
    """Return the largest distance of a cell's latents from its lone run's, relative to these."""
    return max(
        float((cell.latents - own.latents).norm() / own.latents.norm())
        for cell, own in zip(comparison.results, alone, strict=True)
    )


def draw_theirs(theirs: StableDiffusionPipeline) -> None:
    config = theirs.scheduler.config
    for name in PEERS.values():
        theirs.scheduler = getattr(schedulers, name).from_config(config)
        theirs(PROMPT, num_inference_steps=20, guidance_scale=4.0)


def timed(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


if __name__ == "__main__":
    main()
