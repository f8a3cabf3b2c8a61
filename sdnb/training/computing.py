"""How a network computes while it is trained: precision, seeds, threads."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 autocast where the device computes with it, plain float32 elsewhere.

    On a processor without bfloat16 instructions autocast is many times slower.
    """
    if device.type == "cuda" or (device.type == "cpu" and has_bfloat16()):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16, as far as torch can tell."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the weights of new networks from a seed; the global state comes back after.

    The libraries' initialisers know no generator but the global one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let every operation use one thread; the parts of a step then share the cores.

    An operation split over all cores waits for the slowest of them: beside another busy
    process that costs far more than half the speed, whole parts on a queue cost nothing.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def usable_cores() -> int:
    """Cores this process may run on, where the system tells; else all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
