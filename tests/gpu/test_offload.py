"""On a GPU: parts that take turns draw the same picture, in less of its memory."""

import pytest
import torch

import sdnb

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def drawn(*, offload):
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    pipe = sdnb.load("tiny", dtype="float32", offload=offload)
    run = pipe.start("a red circle on a meadow", seed=7, steps=3, width=64, height=64, loras="ink")
    run.step()
    run.preview()
    result = run.finish()
    return result, torch.cuda.max_memory_allocated() - before


def test_parts_that_take_turns_draw_the_same_in_less_memory():
    whole, much = drawn(offload=False)
    parted, less = drawn(offload=True)
    assert torch.allclose(whole.latents, parted.latents, atol=1e-4)
    assert less < 0.9 * much
