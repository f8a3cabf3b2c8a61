"""ControlNets steer as they do in diffusers' pipelines."""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline, StableDiffusionXLControlNetPipeline

import sdnb
from sdnb.control import Control
from sdnb.models.vae import to_pil
from sdnb.registry import SCHEDULES
from tests.models.controlnets import picture, random_controlnet
from tests.models.families.checkpoints import BUILDS, make

PROMPT, NEGATIVE, STEPS = "an astronaut riding a horse", "blurry", 5
PIPELINES = {
    "sd1": StableDiffusionControlNetPipeline,
    "sdxl": StableDiffusionXLControlNetPipeline,
}


@pytest.fixture(scope="module")
def made():
    return {name: make(BUILDS[name]) for name in PIPELINES}


@pytest.fixture
def leading():
    @sdnb.schedule("their_leading")
    def levels(steps, noise_schedule):
        chosen = noise_schedule.sigmas[[1 + 1000 // steps * i for i in reversed(range(steps))]]
        return torch.cat([chosen, chosen.new_zeros(1)])

    yield "their_leading"
    SCHEDULES.remove("their_leading")


@pytest.mark.parametrize(
    ("name", "spans"),
    [
        ("sd1", [(0.7, 0.2, 0.8)]),
        ("sd1", [(0.7, 0.2, 0.8), (1.2, 0.0, 0.5)]),
        ("sdxl", [(0.7, 0.0, 1.0)]),
    ],
)
def test_controls_draw_what_they_draw_in_diffusers(made, tmp_path, leading, name, spans):
    # given
    theirs = made[name]
    theirs.save_pretrained(tmp_path / "model")
    controlnets = [random_controlnet(theirs.unet, seed) for seed in range(len(spans))]
    controls = []
    for number, (weight, begin, end) in enumerate(spans):
        folder = tmp_path / f"controlnet{number}"
        controlnets[number].save_pretrained(folder)
        span = {"weight": weight, "begin": begin, "end": end}
        controls.append(Control(picture=picture(number), reference=str(folder), **span))

    # when
    pipe = sdnb.load(str(tmp_path / "model"))
    asked = {"negative_prompt": NEGATIVE, "seed": 5, "steps": STEPS, "cfg_scale": 3.0}
    asked |= {"width": 64, "height": 64, "sampler": "ddim", "schedule": leading}
    ours, bare = (pipe.run(PROMPT, controls=given, **asked) for given in (controls, ()))
    with_controls = PIPELINES[name](
        **{**theirs.components, "controlnet": controlnets},
        **{k: v for k, v in BUILDS[name].options.items() if k not in theirs.components},
    )
    with_controls.set_progress_bar_config(disable=True)
    latents = with_controls(
        PROMPT,
        image=[each.picture.open() for each in controls],
        negative_prompt=NEGATIVE,
        num_inference_steps=STEPS,
        guidance_scale=3.0,
        controlnet_conditioning_scale=[each.weight for each in controls],
        control_guidance_start=[each.begin for each in controls],
        control_guidance_end=[each.end for each in controls],
        latents=ours.trace.x[0] / (1 + ours.trace.sigmas[0] ** 2) ** 0.5,
        height=64,
        width=64,
        output_type="latent",
    ).images
    with torch.no_grad():
        decoded = theirs.vae.decode(latents / theirs.vae.config.scaling_factor).sample
    (drawn,) = to_pil((decoded / 2 + 0.5).clamp(0, 1))

    # then
    assert (ours.latents - latents).norm() / latents.norm() < 1e-4
    assert np.abs(np.asarray(drawn, int) - np.asarray(ours.images[0])).max() <= 1
    assert (ours.latents - bare.latents).norm() / bare.latents.norm() > 0.01
