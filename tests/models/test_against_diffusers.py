"""The embedded model in plain diffusers gives the pictures that it gives here."""

import numpy as np
import pytest
import torch

PROMPT, NEGATIVE, STEPS = "a red circle on a meadow", "blue", 12


@pytest.fixture(scope="module")
def theirs(pipe):
    from diffusers import StableDiffusionPipeline

    from sdnb.models.checkpoint import locate

    pipeline = StableDiffusionPipeline.from_pretrained(
        locate("tiny"), local_files_only=True, torch_dtype=torch.float32
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def their_picture(pipeline, latents):
    out = pipeline(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        latents=latents,
        output_type="np",
    )
    return out.images


def our_picture(pipe, sampler):
    return pipe.run(
        PROMPT,
        negative_prompt=NEGATIVE,
        seed=7,
        steps=STEPS,
        sampler=sampler,
        schedule="their_spacing",
        batch_size=2,
    )


@pytest.fixture
def their_spacing():
    """Register the levels of diffusers' ``leading`` spacing with an offset of 1."""
    import sdnb
    from sdnb.registry import SCHEDULES

    @sdnb.schedule("their_spacing")
    def leading(steps, noise_schedule):
        stride = 1000 // steps
        levels = noise_schedule.sigmas[[1 + stride * i for i in reversed(range(steps))]]
        return torch.cat([levels, levels.new_zeros(1)])

    yield
    SCHEDULES.remove("their_spacing")


@pytest.mark.usefixtures("their_spacing")
def test_ddim_equals_diffusers(pipe, theirs):
    # given
    ours = our_picture(pipe, "ddim")
    sigma = ours.trace.sigmas[0]

    # when
    shipped = theirs.scheduler
    images = np.concatenate(
        [their_picture(theirs, x[None] / (1 + sigma**2) ** 0.5) for x in ours.trace.x[0]]
    )

    # then
    assert type(shipped).__name__ == "DDIMScheduler"
    assert_same_pictures(images, ours)


@pytest.mark.usefixtures("their_spacing")
def test_euler_equals_diffusers(pipe, theirs):
    from diffusers import EulerDiscreteScheduler

    # given
    ours = our_picture(pipe, "euler")
    shipped = theirs.scheduler
    theirs.scheduler = EulerDiscreteScheduler.from_config(shipped.config)
    theirs.scheduler.set_timesteps(STEPS)

    # when
    try:
        scale = theirs.scheduler.init_noise_sigma
        images = np.concatenate([their_picture(theirs, x[None] / scale) for x in ours.trace.x[0]])
    finally:
        theirs.scheduler = shipped

    # then
    assert_same_pictures(images, ours)


def assert_same_pictures(images, ours):
    pictures = np.stack([np.asarray(image) for image in ours.images])
    difference = np.abs(np.round(images * 255) - pictures)
    assert difference.max() <= 1
