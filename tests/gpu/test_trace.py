"""On a GPU the trace is copied away while the device computes on."""

import pytest
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

import sdnb
from sdnb.trace import Recorder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_copies_are_pinned_and_hold_what_was_there_when_they_were_asked_for():
    # given
    recorder, x = Recorder(), torch.zeros(1, 4, 512, 512, device="cuda")

    # when
    for step in range(8):
        x = x + 1
        recorder.start(float(8 - step), x)
    held = recorder.x[0]
    film = recorder.trace().x

    # then
    assert held.is_pinned()
    assert film.mean(dim=(1, 2, 3, 4)).tolist() == list(range(1, 9))


def test_a_result_holds_no_pinned_memory():
    # given
    pipe = sdnb.load("tiny")

    # when
    trace = pipe.run("a red circle on a meadow", seed=7, steps=3).trace

    # then
    for answer in trace.evaluations:
        assert not answer.denoised.is_pinned()
        assert not any(part.is_pinned() for part in answer.eps.values())
    assert not trace.x.is_pinned()


def test_a_run_never_waits_for_the_device():
    pipe = sdnb.load("tiny")
    torch.cuda.set_sync_debug_mode("error")
    try:
        run = pipe.start("a red circle on a meadow", seed=7, steps=4)
        for _ in range(4):
            run.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_profiler_sees_nothing_wait_between_steps():
    # given
    run = sdnb.load("tiny").start("a red circle on a meadow", seed=7, steps=6)
    run.step()
    run.step()

    # when
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities) as seen, record_function("steps"):
        for _ in range(3):
            run.step()

    # then: the profiler itself waits at its end
    said = [each for each in seen.events() if each.device_type == DeviceType.CPU]
    (span,) = [each.time_range for each in said if each.name == "steps"]
    within = [each for each in said if span.start <= each.time_range.start <= span.end]
    assert any(each.name.startswith("cudaLaunch") for each in within)
    assert [each.name for each in within if "Synchronize" in each.name] == []
