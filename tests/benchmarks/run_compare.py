"""How long a comparison takes, as a ratio to the same pictures one after another.

``python -m tests.benchmarks.run_compare [--json FILE]``: nine samplers, one prompt, 20 steps; a
row of guidance scales; a grid of step counts and samplers. Each in lockstep, then one after
another with sdnb and with diffusers, in one process, in turn. At last what a lane costs among
1 to 64, and the memory they take.
"""

import argparse
import json
import resource
from functools import partial
from pathlib import Path
from statistics import median

import torch
from diffusers import StableDiffusionPipeline, schedulers

import sdnb
from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import Plan, cross
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import Result
from tests.benchmarks.contest import diffusers_pipeline, ratio, take_turns

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

LANES = (1, 2, 4, 8, 16, 32, 64)

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
    pipe, theirs = sdnb.load("tiny"), diffusers_pipeline()
    figures = {name: measure(pipe, theirs, axes) for name, axes in GRIDS.items()}
    figures["a lane among"] = cost_of_lanes(pipe)
    print(f"{torch.get_num_threads()} threads, median of {ROUNDS} after one more")
    for name, row in figures.items():
        print(f"{name:28}", "  ".join(f"{key} {value:.3g}" for key, value in row.items()))
    if not torch.cuda.is_available():
        print("Stable Diffusion 1.5 at 512x512 in half precision: open, no GPU here")
    if target:
        target.write_text(json.dumps(figures, indent=2) + "\n")


def measure(
    pipe: Pipeline, theirs: StableDiffusionPipeline, axes: dict[str, list[object]]
) -> dict[str, float]:
    """Draw a grid together and one after another, in turn; compare times and pictures."""
    plan = cross(GenerationRequest(prompt=PROMPT, seed=9), axes)
    together: list[Comparison] = []
    alone: list[list[Result]] = []
    contestants = {
        "together": lambda: together.append(Comparison(plan, Lockstep(pipe, "none")).resume()),
        "alone": lambda: alone.append([pipe.run(c.request, keep="none") for c in plan.cells]),
        "diffusers": lambda: draw_theirs(theirs, plan),
    }
    seconds = take_turns(contestants, ROUNDS)
    return {
        "cells": len(plan.cells),
        "calls": len(together[0].calls),
        "evaluations": sum(result.evaluations for result in alone[0]),
        "lockstep, s": median(seconds["together"]),
        "to one after another": ratio(seconds["together"], seconds["alone"]),
        "to diffusers": ratio(seconds["together"], seconds["diffusers"]),
        "worst difference": worst_difference(together[0], alone[0]),
    }


def cost_of_lanes(pipe: Pipeline) -> dict[str, float]:
    """Return the seconds of a run among so many, relative to one alone, and the peak memory."""
    plans = {
        count: cross(
            GenerationRequest(prompt=PROMPT, steps=4, sampler="euler"),
            {"seed": list(range(count))},
        )
        for count in LANES
    }
    contestants = {
        str(count): partial(lambda plan: Comparison(plan, Lockstep(pipe, "none")).resume(), plan)
        for count, plan in plans.items()
    }
    seconds = take_turns(contestants, ROUNDS)
    alone = median(seconds[str(LANES[0])])
    costs = {f"{count}:": median(seconds[str(count)]) / count / alone for count in LANES}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**costs, "peak RSS, MB": peak}


def worst_difference(comparison: Comparison, alone: list[Result]) -> float:
    """Return the largest distance of a cell's latents from its lone run's, relative to these."""
    return max(
        float((cell.latents - own.latents).norm() / own.latents.norm())
        for cell, own in zip(comparison.results, alone, strict=True)
    )


def draw_theirs(theirs: StableDiffusionPipeline, plan: Plan) -> None:
    """Draw the cells one after another with diffusers' own samplers."""
    config = theirs.scheduler.config
    for cell in plan.cells:
        asked = cell.request
        theirs.scheduler = getattr(schedulers, PEERS[asked.sampler.name]).from_config(config)
        theirs(PROMPT, num_inference_steps=asked.steps, guidance_scale=asked.cfg_scale)


if __name__ == "__main__":
    main()
