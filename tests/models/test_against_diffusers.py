"""The embedded model in plain diffusers gives the pictures that it gives here."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sdnb.models.vae import to_pil
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.start import Opening

PROMPT, NEGATIVE, STEPS = "a red circle on a meadow", "blue", 12


@pytest.fixture(scope="module")
def theirs(tiny):
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


def our_picture(tiny, sampler):
    return tiny.run(
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
def test_ddim_equals_diffusers(tiny, theirs):
    # given
    ours = our_picture(tiny, "ddim")
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
def test_euler_equals_diffusers(tiny, theirs):
    from diffusers import EulerDiscreteScheduler

    # given
    ours = our_picture(tiny, "euler")
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


@pytest.fixture
def their_parts(theirs, pipe, request):
    """Give what their pipelines are made of, with small networks and another scheduler."""
    import diffusers

    small = {"unet": pipe.components.unet, "vae": pipe.components.vae}
    scheduler = getattr(diffusers, request.param).from_config(theirs.scheduler.config)
    return {**theirs.components, **small, "scheduler": scheduler, "requires_safety_checker": False}


SOLVERS = pytest.mark.parametrize(
    ("their_parts", "sampler"),
    [("DDIMScheduler", "ddim"), ("EulerDiscreteScheduler", "euler")],
    indirect=["their_parts"],
)


@pytest.fixture
def picture():
    image = Image.new("RGB", (128, 128), (90, 160, 70))
    ImageDraw.Draw(image).ellipse((30, 40, 90, 100), fill=(210, 40, 30))
    return Picture.of(image)


def ask_both(pipe, their_pipeline, sampler, start, strength, **given):
    """Return our result and their latents; both start from the posterior's mean.

    Theirs draws a latent from the posterior if it is given pixels, so it is given latents.
    """
    ours = pipe.run(
        PROMPT,
        negative_prompt=NEGATIVE,
        seed=7,
        steps=STEPS,
        sampler=sampler,
        schedule="their_spacing",
        start=start,
        strength=strength,
    )
    clean = Opening(pipe.components, ours.request, (7,)).clean
    latents = their_pipeline(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        strength=strength,
        image=clean,
        generator=torch.Generator().manual_seed(7),
        output_type="latent",
        **{name: clean if value is CLEAN else value for name, value in given.items()},
    ).images
    return ours, latents


CLEAN = object()
"""Stands for the picture's latents."""


def assert_same_latents(their_pipeline, latents, ours):
    vae = their_pipeline.vae
    with torch.no_grad():
        decoded = vae.decode(latents / vae.config.scaling_factor).sample
    picture = np.asarray(to_pil((decoded / 2 + 0.5).clamp(0, 1))[0], dtype=int)
    assert torch.allclose(latents, ours.latents, atol=1e-4)
    assert np.abs(picture - np.asarray(ours.images[0])).max() <= 1


@SOLVERS
@pytest.mark.parametrize("strength", [0.3, 0.5, 1.0])
@pytest.mark.usefixtures("their_spacing")
def test_img2img_equals_diffusers(pipe, their_parts, sampler, picture, strength):
    from diffusers import StableDiffusionImg2ImgPipeline

    # given
    their_pipeline = StableDiffusionImg2ImgPipeline(**their_parts)
    their_pipeline.set_progress_bar_config(disable=True)

    # when
    ours, latents = ask_both(pipe, their_pipeline, sampler, FromImage(picture), strength)

    # then
    assert ours.trace.steps == int(STEPS * strength)
    assert_same_latents(their_pipeline, latents, ours)


@SOLVERS
@pytest.mark.parametrize("strength", [0.5, 0.8])
@pytest.mark.usefixtures("their_spacing")
def test_inpainting_equals_diffusers_where_conventions_agree(
    pipe, their_parts, sampler, picture, strength
):
    """Theirs keeps the rest by a blend at each next level, ours in each question and answer.

    For first-order samplers that is the same with a mask of whole latents, black or white.
    Elsewhere they differ: theirs makes a soft mask hard, at strength 1 starts from noise alone
    where ours starts from the noised picture, and decodes all pixels where ours returns the kept
    ones untouched (so latents are compared, and pixels where the mask is white).
    """
    from diffusers import StableDiffusionInpaintPipeline

    # given
    their_pipeline = StableDiffusionInpaintPipeline(**their_parts)
    their_pipeline.set_progress_bar_config(disable=True)
    mask = Image.new("L", (128, 128), "black")
    ImageDraw.Draw(mask).rectangle((64, 32, 127, 95), fill="white")
    start = Inpaint(picture, Picture.of(mask))
    given = {"mask_image": mask, "masked_image_latents": CLEAN, "width": 128, "height": 128}

    # when
    ours, latents = ask_both(pipe, their_pipeline, sampler, start, strength, **given)

    # then
    assert torch.allclose(latents, ours.latents, atol=1e-4)
    assert not torch.allclose(latents, Opening(pipe.components, ours.request, (7,)).clean, atol=0.1)
