"""On a GPU: half precision with channels last, and compiled, draws what float32 draws."""

import pytest
import torch

import sdnb

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

ASKED = {"prompt": "a red circle on a meadow", "seed": 7, "steps": 6}


@pytest.fixture(scope="module")
def exact():
    return sdnb.load("tiny", dtype="float32").run(**ASKED)


@pytest.fixture(scope="module")
def half():
    return sdnb.load("tiny")


def difference(result, exact):
    return (result.latents - exact.latents).norm() / exact.latents.norm()


def test_half_precision_has_channels_last_and_draws_nearly_the_same(half, exact):
    assert half.components.dtype == torch.float16
    weight = half.components.unet.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert difference(half.run(**ASKED), exact) < 0.05


def test_a_compiled_network_draws_nearly_the_same_run_after_run(half, exact):
    compiled = half.compiled()
    for _ in range(3):  # the first compiles, the second records a CUDA graph, the third plays it
        assert difference(compiled.run(**ASKED), exact) < 0.05
