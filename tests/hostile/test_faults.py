"""Whatever breaks a run, the next one is as if nothing had been."""

import gc
import os
import threading
from pathlib import Path

import pytest
import torch

import sdnb
from sdnb.errors import SdnbError
from sdnb.events import Hooks
from sdnb.hook_use import POINTS
from sdnb.labs.studio import Studio
from tests.hostile.conftest import resident

RUNS = 60


def break_at(point: str, error: BaseException) -> Hooks:
    def fail(_event: object) -> None:
        raise error

    return Hooks.at(point, fail)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), MemoryError()])
def test_a_fault_at_any_point_leaves_no_trace(pipe, fish, point: str, error: BaseException) -> None:
    # when
    with pytest.raises((SdnbError, KeyboardInterrupt, MemoryError)):
        pipe.run(fish.request, hooks=break_at(point, error))
    # then
    again = pipe.run(fish.request)
    assert torch.equal(again.latents, fish.latents)
    assert again.images[0].tobytes() == fish.images[0].tobytes()


@pytest.mark.parametrize(
    ("part", "call"),
    [("unet", 0), ("unet", 1), ("vae.decoder", 0), ("text_encoder", 0)],
)
def test_running_out_of_memory_in_any_call_leaves_no_trace(pipe, fish, part, call) -> None:
    # given
    calls = 0

    def fail(*_args: object) -> None:
        nonlocal calls
        calls += 1
        if calls == call + 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    parts = pipe.components
    encoder = parts.texts[0].network
    network = {"unet": parts.unet, "vae.decoder": parts.vae.decoder, "text_encoder": encoder}[part]
    handle = network.register_forward_pre_hook(fail)
    # when
    try:
        with pytest.raises((torch.OutOfMemoryError, SdnbError)):
            pipe.run(fish.request)
    finally:
        handle.remove()
    # then
    assert calls > call
    assert torch.equal(pipe.run(fish.request).latents, fish.latents)


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_fault_while_decoding_leaves_no_trace(
    pipe, fish, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    # given
    def fail(*_args: object) -> None:
        raise error

    # when
    with monkeypatch.context() as patch:
        patch.setattr(pipe.components.vae, "decode", fail)
        with pytest.raises((SdnbError, type(error))):
            pipe.run(fish.request)
    # then
    again = pipe.run(fish.request)
    assert again.images[0].tobytes() == fish.images[0].tobytes()


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt(), MemoryError()])
def test_a_fault_while_saving_leaves_no_file_and_the_result(
    fish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    # given
    def fail(_file: int) -> None:
        raise error

    # when
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises((SdnbError, KeyboardInterrupt, MemoryError)):
            fish.save(tmp_path)
    # then
    assert list(tmp_path.iterdir()) == []
    (path,) = fish.save(tmp_path)
    assert sdnb.read(path).request == fish.request


def test_two_panels_at_once_draw_what_each_would_alone(pipe, fish) -> None:
    # given
    labs = [Studio(pipe, fish.request), Studio(pipe, fish.request)]
    # when: one of them is stopped, stepped and asked again while the other draws
    labs[0].generate()
    labs[1].step()
    labs[1].stop()
    labs[1].generate()
    for lab in labs:
        assert lab.wait(60.0)
    # then
    for lab in labs:
        assert lab.phase == "finished"
        assert torch.equal(lab.result.latents, fish.latents)


def test_many_runs_leave_no_memory_threads_hooks_or_handles(tiny, fish) -> None:
    # given
    request = fish.request.changed(steps=1, cfg_scale=1, width=16, height=16)
    for _ in range(20):
        tiny.run(request, keep="none")
    gc.collect()
    before = resident()
    threads, handles = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    hooks = sum(len(module._forward_hooks) for module in tiny.components.unet.modules())
    # when
    for _ in range(RUNS):
        tiny.run(request, keep="none")
    gc.collect()
    # then
    grown = resident() - before
    assert grown < 20, f"{grown:.0f} MB"
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == handles  # noqa: PTH208
    assert sum(len(module._forward_hooks) for module in tiny.components.unet.modules()) == hooks


def test_threads_that_draw_at_once_draw_what_they_would_alone(pipe, fish) -> None:
    # given
    drawn: list[torch.Tensor] = []

    def draw() -> None:
        drawn.append(pipe.run(fish.request).latents)

    # when
    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then
    assert len(drawn) == 4
    assert all(torch.equal(latents, fish.latents) for latents in drawn)
