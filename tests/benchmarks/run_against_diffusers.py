"""How long a picture takes, as a ratio to what else one would run, in one process.

``python -m tests.benchmarks.run_against_diffusers``: the same 20 Euler steps with guidance by
sdnb, by diffusers' pipeline, and as bare network calls in a hand-written loop, in turn.
"""

from itertools import pairwise
from statistics import median
from time import perf_counter

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline

import sdnb
from sdnb.models.checkpoint import locate

PROMPT, STEPS, ROUNDS = "a red circle on a meadow", 20, 7


def main() -> None:
    pipe = sdnb.load("tiny")
    theirs = StableDiffusionPipeline.from_pretrained(locate("tiny"), local_files_only=True)
    theirs.scheduler = EulerDiscreteScheduler.from_config(theirs.scheduler.config)
    theirs.set_progress_bar_config(disable=True)
    contestants = {
        "bare network calls": lambda: bare_loop(pipe.components),
        "sdnb": lambda: pipe.run(PROMPT, seed=1, steps=STEPS, sampler="euler"),
        "diffusers": lambda: theirs(PROMPT, num_inference_steps=STEPS, guidance_scale=4.0),
    }
    seconds = {name: [] for name in contestants}
    for _ in range(ROUNDS + 1):
        for name, draw in contestants.items():
            began = perf_counter()
            draw()
            seconds[name].append(perf_counter() - began)
    print(f"{STEPS} steps, {torch.get_num_threads()} threads, median of {ROUNDS} after one more")
    for name, times in seconds.items():
        ratios = [a / b for a, b in zip(times[1:], seconds["bare network calls"][1:], strict=True)]
        print(f"{name:20} {median(times[1:]):6.3f} s   {median(ratios):5.3f} x bare")


@torch.no_grad()
def bare_loop(parts) -> None:
    """Ask the network as often, with nothing around it but the step."""
    ids = parts.tokenizer(["", PROMPT], padding="max_length", max_length=77, return_tensors="pt")
    embeds = parts.text_encoder(ids["input_ids"]).last_hidden_state
    sigmas = sdnb.sigmas("karras", STEPS).tolist()
    x = torch.randn(1, 4, 16, 16) * sigmas[0]
    for sigma, sigma_next in pairwise(sigmas):
        t = torch.full((2,), parts.noise_schedule.t(sigma))
        scaled = (x / (1 + sigma**2) ** 0.5).expand(2, -1, -1, -1)
        uncond, cond = parts.unet(scaled, t, encoder_hidden_states=embeds).sample.chunk(2)
        x = x + (uncond + 4 * (cond - uncond)) * (sigma_next - sigma)
    parts.vae.decode(x / parts.latent.scale)


if __name__ == "__main__":
    main()
