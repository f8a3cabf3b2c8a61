"""Checkpoints at their true size on a GPU, as ratios to diffusers' own pipelines, in one process.

``python -m tests.benchmarks.gpu [sd1 sdxl] [--batch 1 8]``: random weights of the published
architectures in half precision, 20 Euler steps with guidance. Both are given the same networks:
the ratios are of what is around them. Where there is no GPU the same
runs small on the CPU: then it shows that the script works, and nothing about a GPU.
"""

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from diffusers import EulerDiscreteScheduler

from sdnb.models.components import Components, TextEncoder
from sdnb.models.families import FAMILIES
from sdnb.models.loading import latent_spec
from sdnb.models.recipe import Recipe
from sdnb.models.training_noise import noise_of
from sdnb.pipeline import Pipeline
from tests.benchmarks.contest import PROMPT, STEPS, ratio, take_turns
from tests.models.families.checkpoints import BUILDS, FULL, make

ROUNDS = 5

NAMES = {"sd1": "SD1", "sdxl": "SDXL"}

Contestants = dict[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(NAMES), choices=[*NAMES, []])
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8])
    chosen = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    print(torch.cuda.get_device_name() if on_gpu else "no GPU: small networks on the CPU")
    for name in chosen.names:
        theirs = make((FULL if on_gpu else BUILDS)[name])
        theirs.scheduler = EulerDiscreteScheduler.from_config(theirs.scheduler.config)
        ours = Pipeline(components_of(theirs, NAMES[name]))
        for batch in chosen.batch:
            report(f"{NAMES[name]}, batch {batch}", contestants(theirs, ours, batch))


def components_of(theirs, family_name: str) -> Components:
    """Give sdnb the very networks that diffusers' pipeline has, on the device."""
    device, dtype = ("cuda", torch.float16) if torch.cuda.is_available() else ("cpu", torch.float32)
    theirs.to(device, dtype)
    (family,) = [each for each in FAMILIES if each.name == family_name]
    noise_schedule, prediction = noise_of(theirs.scheduler.config)
    latent = latent_spec(theirs.vae)
    return Components(
        recipe=Recipe(reference=family_name),
        reference=family_name,
        sha256="",
        family=family,
        texts=tuple(
            TextEncoder(
                tokenizer=getattr(theirs, spec.tokenizer_folder),
                pad=spec.pad,
                network=getattr(theirs, spec.folder),
                spec=spec,
            )
            for spec in family.texts
        ),
        unet=theirs.unet.to(memory_format=torch.channels_last),
        vae=theirs.vae,
        scheduler=theirs.scheduler.config,
        noise_schedule=noise_schedule,
        prediction=prediction,
        latent=latent,
        size=theirs.unet.config.sample_size * latent.factor,
        words=None,
    )


def contestants(theirs, ours: Pipeline, batch: int) -> Contestants:
    run = partial(ours.run, PROMPT, seed=1, steps=STEPS, sampler="euler", batch_size=batch)
    prompts = [PROMPT] * batch
    return {
        "diffusers": lambda: theirs(prompts, num_inference_steps=STEPS, guidance_scale=4.0),
        "sdnb, nothing kept": lambda: run(keep="none"),
        "sdnb, full trace": run,
        "sdnb, previewed": lambda: previewed(ours, batch),
    }


def previewed(ours: Pipeline, batch: int) -> None:
    """Decode the estimate four times on the way, as a notebook does in some seconds."""
    run = ours.start(PROMPT, seed=1, steps=STEPS, sampler="euler", batch_size=batch, keep="none")
    for _ in range(4):
        for _ in range(STEPS // 4):
            run.step()
        run.preview()
    run.finish()


def report(title: str, each: Contestants) -> None:
    print(f"{title}: {STEPS} steps, median of {ROUNDS} after one more")
    seconds = take_turns({name: partial(awaited, work) for name, work in each.items()}, ROUNDS)
    for name, work in each.items():
        peak = f"{peak_gigabytes(work):6.2f} GB" if torch.cuda.is_available() else ""
        times = seconds[name]
        print(
            f"  {name:20} {median(times):7.3f} s  {ratio(times, seconds['diffusers']):5.3f}  {peak}"
        )


def awaited(work: Callable[[], object]) -> None:
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_gigabytes(work: Callable[[], object]) -> float:
    torch.cuda.reset_peak_memory_stats()
    awaited(work)
    return torch.cuda.max_memory_allocated() / 2**30


if __name__ == "__main__":
    main()
