"""Checkpoints at their true size on a GPU, as ratios to diffusers' own pipelines, in one process.

``python -m tests.benchmarks.gpu [--only sd1] [--batch 1 8] [--minutes 9]``: random weights of the
published architectures in half precision, 20 Euler steps with guidance. Both are given the same
networks: the ratios are of what is around them. What would begin after ``--minutes`` is said to be
open: name one architecture at a time then. Where there is no GPU the same script runs small on the
CPU, in few steps: then it shows that the script works, and nothing about a GPU.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from time import monotonic

import torch
from diffusers import EulerDiscreteScheduler

from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import cross
from sdnb.models.components import Components, TextEncoder
from sdnb.models.families import FAMILIES
from sdnb.models.loading import latent_spec, memory_format
from sdnb.models.recipe import Recipe
from sdnb.models.training_noise import noise_of
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from tests.benchmarks.contest import PROMPT, ratio, take_turns
from tests.benchmarks.run_compare import PEERS
from tests.models.families.checkpoints import BUILDS, FULL, make

NAMES = {"sd1": "SD1", "sdxl": "SDXL"}

ON_GPU = torch.cuda.is_available()

STEPS, ROUNDS, ROUNDS_OF_BATCHES = (20, 5, 2) if ON_GPU else (4, 1, 1)

Contestants = dict[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(NAMES))
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8 if ON_GPU else 2])
    parser.add_argument("--minutes", type=float, default=9.0)
    chosen = parser.parse_args()
    ends = monotonic() + 60 * chosen.minutes
    print(torch.cuda.get_device_name() if ON_GPU else "no GPU: small networks on the CPU")
    for name in [chosen.only] if chosen.only else NAMES:
        theirs = make((FULL if ON_GPU else BUILDS)[name])
        theirs.scheduler = EulerDiscreteScheduler.from_config(theirs.scheduler.config)
        ours = Pipeline(components_of(theirs, NAMES[name]))
        size = f"{NAMES[name]}, {ours.components.size}x{ours.components.size}"
        for title, batch, contestants in contests(theirs, ours, chosen.batch):
            if monotonic() < ends:
                report(f"{size}, {title}", contestants, ROUNDS if batch == 1 else ROUNDS_OF_BATCHES)
            else:
                print(f"{size}, {title}: open, time is up", flush=True)
    if not ON_GPU:
        print("every figure of a GPU, and of a compiled network: open, no GPU here")


def contests(theirs, ours: Pipeline, batches: list[int]) -> Iterator[tuple[str, int, Contestants]]:
    """Give what is measured, the longest last; compiling takes minutes."""
    for batch in batches:
        yield f"batch {batch}", batch, against_theirs(theirs, ours, batch)
        yield f"batch {batch}, watched", batch, watched(ours, batch)
    yield "nine samplers", 1, nine_samplers(ours)
    if ON_GPU:
        compiled = ours.compiled()
        for batch in batches:
            yield f"batch {batch}, compiled", batch, against_theirs(theirs, compiled, batch)


def components_of(theirs, family_name: str) -> Components:
    """Give sdnb the very networks that diffusers' pipeline has, on the device."""
    device, dtype = ("cuda", torch.float16) if ON_GPU else ("cpu", torch.float32)
    theirs.to(device, dtype)
    for network in (theirs.unet, theirs.vae):
        network.to(memory_format=memory_format(dtype, torch.device(device)))
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
        unet=theirs.unet,
        vae=theirs.vae,
        scheduler=theirs.scheduler.config,
        noise_schedule=noise_schedule,
        prediction=prediction,
        latent=latent,
        size=theirs.unet.config.sample_size * latent.factor,
        words=None,
    )


def against_theirs(theirs, ours: Pipeline, batch: int) -> Contestants:
    prompts = [PROMPT] * batch
    return {
        "diffusers": lambda: theirs(prompts, num_inference_steps=STEPS, guidance_scale=4.0),
        "sdnb, nothing kept": partial(run, ours, batch, "none"),
    }


def watched(ours: Pipeline, batch: int) -> Contestants:
    return {
        "nothing kept": partial(run, ours, batch, "none"),
        "full trace": partial(run, ours, batch, "all"),
        "previewed": partial(run_previewed, ours, batch, "none"),
        "both": partial(run_previewed, ours, batch, "all"),
    }


def nine_samplers(ours: Pipeline) -> Contestants:
    """Draw nine samplers' pictures together, and one after another."""
    asked = GenerationRequest(prompt=PROMPT, seed=1, steps=STEPS)
    plan = cross(asked, {"sampler": list(PEERS)})
    return {
        "one after another": lambda: [ours.run(c.request, keep="none") for c in plan.cells],
        "compared": lambda: Comparison(plan, Lockstep(ours, "none")).resume(),
    }


def run(ours: Pipeline, batch: int, keep: str) -> None:
    ours.run(PROMPT, seed=1, steps=STEPS, sampler="euler", batch_size=batch, keep=keep)


def run_previewed(ours: Pipeline, batch: int, keep: str) -> None:
    """Decode the estimate four times on the way, as a notebook does in some seconds."""
    held = ours.start(PROMPT, seed=1, steps=STEPS, sampler="euler", batch_size=batch, keep=keep)
    for _ in range(4):
        for _ in range(STEPS // 4):
            held.step()
        held.preview()
    held.finish()


def report(title: str, each: Contestants, rounds: int) -> None:
    """Measure contestants in turn, and print their ratios to the first of them."""
    print(f"{title}: {STEPS} steps, median of {rounds} after one more", flush=True)
    peaks: dict[str, list[float]] = defaultdict(list)
    works = {name: partial(awaited, work, peaks[name]) for name, work in each.items()}
    seconds = take_turns(works, rounds)
    first = seconds[next(iter(each))]
    for name, times in seconds.items():
        peak = f"{max(peaks[name]):6.2f} GB at its peak" if ON_GPU else ""
        print(f"  {name:20} {median(times):7.3f} s  {ratio(times, first):5.3f}  {peak}", flush=True)


def awaited(work: Callable[[], object], peaks: list[float]) -> None:
    """Work until the device has ended too, and note the most of its memory that was taken."""
    if not ON_GPU:
        work()
        return
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    peaks.append(torch.cuda.max_memory_allocated() / 2**30)


if __name__ == "__main__":
    main()
