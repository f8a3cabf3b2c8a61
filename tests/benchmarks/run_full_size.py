"""A checkpoint file at its true size: written with random weights, loaded, asked once.

``python -m tests.benchmarks.run_full_size [sd1|sdxl] [--size 512]``: half-precision tensors in the
original layout, in a folder that is deleted at the end (2 GB for SD1, 7 GB for SDXL), and each part
in a process of its own, for the peak of its memory. What is drawn is noise: the figures are
seconds and gigabytes, and that every tensor has its place.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

import sdnb
from tests.models.families.checkpoints import FULL, make, save_original


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="sd1", choices=list(FULL))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--part", choices=["write", "ask"], help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part == "write":
        write(chosen.name, chosen.path)
    elif chosen.part == "ask":
        ask(chosen.path, chosen.size)
    else:
        in_processes(chosen.name, chosen.size)


def in_processes(name: str, size: int) -> None:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", __spec__.name, name, "--size", str(size)]
        command += ["--path", f"{folder}/{name}.safetensors", "--part"]
        for part in ("write", "ask"):
            environment = {**os.environ, "SDNB_CACHE": folder}  # a hash is taken, not remembered
            subprocess.run([*command, part], check=True, env=environment)


def write(name: str, path: Path) -> None:
    """Write random weights in half precision; the networks never exist in a larger one."""
    began = perf_counter()
    with torch.device("meta"):
        theirs = make(FULL[name])
    random = torch.Generator().manual_seed(0)
    for folder in ("unet", "vae", *(text[0] for text in FULL[name].texts)):
        network = getattr(theirs, folder).half().to_empty(device="cpu")
        with torch.no_grad():
            for key, weight in network.named_parameters():
                if weight.dim() > 1:
                    weight.normal_(std=0.02, generator=random)
                else:
                    weight.fill_(key.endswith("weight"))
    save_original(theirs, FULL[name], path)
    said(f"written, {path.stat().st_size / 1e9:.2f} GB", began)


def ask(path: Path, size: int) -> None:
    """Load the file, and draw one step without guidance."""
    began = perf_counter()
    pipe = sdnb.load(str(path))
    said(f"loaded, {pipe.components.family.name}, {pipe.components.dtype}", began)
    began = perf_counter()
    result = pipe.run("a photo of a cat", seed=1, steps=1, cfg_scale=1.0, width=size, height=size)
    if not bool(result.latents.isfinite().all()):
        raise SystemExit("the network answered with NaN or infinity")
    said(f"drawn, {size}x{size}, 1 step", began)


def said(what: str, began: float) -> None:
    seconds, peak = perf_counter() - began, getrusage(RUSAGE_SELF).ru_maxrss * 1024
    print(f"{what:40} {seconds:7.1f} s   peak {peak / 1e9:5.2f} GB", flush=True)


if __name__ == "__main__":
    main()
