"""Where a run begins: ``denoise`` spreads all its steps, ``strength`` makes the last of them."""

import pytest
import torch
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.picture import FromImage, Picture
from sdnb.request import GenerationRequest
from sdnb.start import plan_levels

START = FromImage(Picture.of(Image.new("RGB", (64, 64), (200, 40, 40))))


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp_2m", "dpm_2"])
@pytest.mark.parametrize("schedule", ["karras", "simple", "custom sigmas=14,8,4,2,1,0"])
@pytest.mark.parametrize("strength", [0.3, 0.5, 0.99, 1.0])
def test_strength_makes_the_last_steps_of_a_schedule(pipe, sampler, schedule, strength):
    # given
    whole = GenerationRequest(sampler=sampler, schedule=schedule, steps=10)

    # when
    every = plan_levels(pipe.components, whole)
    some = plan_levels(pipe.components, whole.changed(strength=strength))

    # then
    made = int((len(every) - 1) * strength)
    assert some == every[-1 - made :]
    assert len(some) - 1 == made > 0


def test_strength_makes_a_share_of_the_steps_and_denoise_makes_them_all(pipe):
    # given
    fields = {"seed": 1, "start": START, "width": 64, "height": 64, "steps": 8, "cfg_scale": 1.0}

    # when
    strong = pipe.run("a red circle", strength=0.5, **fields)
    spread = pipe.run("a red circle", denoise=0.5, **fields)
    half = pipe.run("a red circle", denoise=0.5, **(fields | {"steps": 4}))

    # then
    assert (strong.trace.steps, spread.trace.steps) == (4, 8)
    assert strong.trace.sigmas == half.trace.sigmas
    assert torch.equal(strong.latents, half.latents)


def test_full_strength_is_no_strength(pipe):
    # given
    fields = {"seed": 1, "start": START, "width": 64, "height": 64, "steps": 3}

    # when
    full, none = (pipe.run("a red circle", strength=share, **fields) for share in (1.0, None))

    # then
    assert torch.equal(full.latents, none.latents)


def test_denoise_and_strength_are_not_both_given():
    with pytest.raises(InvalidField, match="two meanings"):
        GenerationRequest(denoise=0.5, strength=0.5)


@pytest.mark.parametrize("strength", [0.0, -0.1, 1.5, float("nan"), "half"])
def test_a_strength_that_cannot_be_is_refused(strength):
    with pytest.raises(InvalidField, match="strength"):
        GenerationRequest(strength=strength)


def test_a_strength_that_leaves_no_step_is_refused():
    with pytest.raises(InvalidField, match="no step"):
        GenerationRequest(steps=10, strength=0.09)


def test_an_interrupted_run_counts_the_steps_that_strength_leaves(pipe):
    # given
    run = pipe.start("a red circle", steps=8, strength=0.5, width=64, height=64, start=START)
    run.step()

    # when
    run.cancel()

    # then
    assert "after 1 of 4 steps" in run.finish().facts


def test_a_branch_keeps_the_strength_of_its_parent(pipe):
    # given
    parent = pipe.run("a red circle", steps=6, strength=0.5, width=64, height=64, start=START)

    # when
    branch = pipe.branch(parent, 1).finish()

    # then
    assert torch.equal(branch.latents, parent.latents)
    with pytest.raises(InvalidField, match="strength of the run it comes from"):
        pipe.branch(parent, 1, strength=1.0)
