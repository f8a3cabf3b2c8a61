"""Runs compute in float32, whatever their networks compute in; `sample` in what it is given."""

import copy
import dataclasses

import pytest
import torch
from PIL import Image
from torch import Tensor

import sdnb
from sdnb.events import DenoiseEvent, Hooks, ImageEvent
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS

SMALL = {"steps": 3, "seed": 7, "width": 32, "height": 32}
PROMPT = "a red circle on a meadow"


@pytest.fixture(scope="module", params=[torch.float16, torch.bfloat16], ids=str)
def narrow(request, pipe):
    """Give the embedded model with its networks in half the bits."""
    parts = pipe.components
    networks = {
        name: copy.deepcopy(getattr(parts, name)).to(request.param) for name in ("unet", "vae")
    }
    texts = tuple(
        dataclasses.replace(each, network=copy.deepcopy(each.network).to(request.param))
        for each in parts.texts
    )
    return Pipeline(dataclasses.replace(parts, texts=texts, **networks))


def dtypes(event):
    values = [getattr(event, field.name) for field in dataclasses.fields(event)]
    tensors = [value for value in values if isinstance(value, Tensor)]
    if isinstance(event, DenoiseEvent):
        tensors += event.eps.values()
    return {tensor.dtype for tensor in tensors}


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_sde", "euler_cfg_pp"])
def test_events_and_latents_are_float32_whatever_the_network_is(narrow, sampler):
    # given
    assert narrow.components.dtype.itemsize == 2
    picture = FromImage(Picture.of(narrow.run(PROMPT, **SMALL).images[0]))
    run = narrow.start(PROMPT, sampler=sampler, start=picture, **SMALL)

    # when
    events = list(run)
    result = run.finish()

    # then
    assert isinstance(events[-1], ImageEvent)
    assert {dtype for event in events for dtype in dtypes(event)} == {torch.float32}
    trace = result.trace
    assert result.latents.dtype == trace.x.dtype == trace.denoised.dtype == torch.float32


@pytest.mark.parametrize("kind", ["noise", "image", "inpaint"])
def test_a_branch_ends_just_as_its_parent_also_where_rounding_is_coarse(narrow, kind):
    # given
    picture = Picture.of(Image.radial_gradient("L").resize((32, 32)))
    starts = {
        "noise": FromNoise(),
        "image": FromImage(picture),
        "inpaint": Inpaint(picture, Picture.of(Image.linear_gradient("L"))),
    }
    parent = narrow.run(PROMPT, sampler="euler", start=starts[kind], **SMALL)

    # when
    branch = narrow.branch(parent, 2).finish()

    # then
    assert torch.equal(branch.latents, parent.latents)


def test_the_picture_is_that_of_float32_up_to_the_network_s_rounding(narrow, pipe):
    # when
    rounded, plain = (each.run(PROMPT, sampler="euler", **SMALL) for each in (narrow, pipe))

    # then
    difference = (rounded.latents - plain.latents).norm() / plain.latents.norm()
    assert 0 < float(difference) < 20 * torch.finfo(narrow.components.dtype).eps


def test_gradients_flow_through_a_narrow_network_in_float32(narrow):
    # given
    gradients = []

    def look(event):
        x = event.x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(event.denoise(x).square().sum(), x)
        gradients.append(gradient)

    # when
    narrow.run(PROMPT, hooks=Hooks(on_denoise=(look,)), **SMALL)

    # then
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_sample_keeps_the_dtype_of_its_caller(sampler, dtype):
    # given
    asked = set()

    def denoiser(x, sigma):
        asked.add(x.dtype)
        denoised = x / (1 + sigma**2)
        return denoised, denoised

    # when
    end = sdnb.sample(
        denoiser, torch.ones(2, 3, dtype=dtype) * 10, [10.0, 5.0, 2.0, 1.0, 0.0], sampler
    )

    # then
    assert asked == {end.dtype} == {dtype}
    assert bool(end.isfinite().all())
