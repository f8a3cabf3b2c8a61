"""Ready-made hooks do what their papers say, by name and in Python."""

from functools import partial

import numpy as np
import pytest
import torch

from sdnb.errors import HookError
from sdnb.events import DenoiseEvent, Hooks, ModelEvent, StepEvent
from sdnb.hook_use import HookUse
from sdnb.hooks.dynamic_thresholding import dynamic_thresholding
from sdnb.hooks.freeze_region import freeze_region
from sdnb.hooks.gradient_guidance import colour_guidance, gradient_guidance
from sdnb.hooks.guidance_interval import guidance_interval
from sdnb.hooks.nudge_channels import nudge_channels
from sdnb.hooks.rescaled_cfg import rescaled_cfg
from sdnb.hooks.swap_prompt import swap_prompt
from sdnb.registry import HOOKS
from sdnb.request import GenerationRequest

PROMPT = "a red circle on a meadow"
POINT_OF = {
    "guidance_interval": "model",
    "rescaled_cfg": "denoise",
    "dynamic_thresholding": "denoise",
    "noise_injection": "step",
    "nudge_channels": "denoise",
}


def events_of(pipe, kind, hooks, **fields):
    run = pipe.start(PROMPT, seed=7, steps=6, hooks=hooks, **fields)
    return [event for event in run if isinstance(event, kind)]


@pytest.mark.parametrize("name", HOOKS.names())
def test_a_named_hook_runs_from_a_request_and_back_from_its_json(pipe, name):
    # given
    hook = f"{POINT_OF[name]}:{name}" + (" contrast=1.2" if name == "nudge_channels" else "")
    request = GenerationRequest.from_json(
        GenerationRequest(
            prompt=PROMPT, seed=7, steps=4, cfg_scale=9, hooks=(HookUse.parse(hook),)
        ).to_json()
    )

    # when
    result = pipe.run(request)

    # then
    assert result.request.hooks[0].hook.name == name
    assert result.latents.isfinite().all()


def test_guidance_outside_its_interval_asks_one_branch(pipe):
    # when
    hooks = Hooks(on_model=(partial(guidance_interval, low=0.5, high=5.0),))
    answers = events_of(pipe, DenoiseEvent, hooks)

    # then
    guided = [event.sigma for event in answers if "uncond" in event.eps]
    assert guided == [event.sigma for event in answers if 0.5 < event.sigma <= 5.0]
    assert 0 < len(guided) < len(answers)


def test_a_cfg_pp_sampler_takes_the_one_answer_there_is(pipe):
    hooks = Hooks(on_model=(partial(guidance_interval, low=20.0, high=21.0),))
    assert len(events_of(pipe, StepEvent, hooks, sampler="euler_cfg_pp")) == 6


def test_rescaled_guidance_has_the_spread_of_the_conditional_answer(pipe):
    # given
    event = events_of(pipe, DenoiseEvent, Hooks(), cfg_scale=9.0)[2]

    # when
    denoised = rescaled_cfg(event, phi=1.0)

    # then
    eps = (event.x - denoised) / event.sigma
    assert float(eps.std()) == pytest.approx(float(event.eps["cond"].std()), rel=1e-4)
    assert torch.allclose(rescaled_cfg(event, phi=0.0), event.denoised, atol=1e-4)


def test_thresholding_leaves_a_calm_picture_and_bounds_a_loud_one(pipe):
    # given
    event = events_of(pipe, DenoiseEvent, Hooks(), batch_size=2)[-1]

    # when
    calm = dynamic_thresholding(event, bound=100.0)
    loud = dynamic_thresholding(event, percentile=0.9, bound=0.5)

    # then
    assert torch.equal(calm, event.denoised)
    assert float(loud.abs().max()) == pytest.approx(0.5)


def test_a_frozen_region_ends_as_it_was(pipe):
    # given
    known = pipe.run(PROMPT, seed=3, steps=6).latents
    mask = torch.ones(1, 1, 16, 16)
    mask[..., :8] = 0

    # when
    hooks = Hooks(on_denoise=(freeze_region(known, mask),))
    result = pipe.run("a blue star at night", seed=9, steps=6, hooks=hooks)

    # then
    assert torch.allclose(result.latents[..., :8], known[..., :8], atol=1e-5)
    assert not torch.allclose(result.latents[..., 8:], known[..., 8:], atol=0.1)


def test_gradient_guidance_lowers_its_loss(pipe):
    # given
    def loss(denoised):
        return denoised[:, 0].square().sum(dim=(1, 2))

    falls = []

    def note(event):
        moved = gradient_guidance(loss, 0.2)(event)
        falls.append(float(loss(moved) - loss(event.denoised)))
        return moved

    # when
    plain = pipe.run(PROMPT, seed=7, steps=6)
    guided = pipe.run(PROMPT, seed=7, steps=6, hooks=Hooks(on_denoise=(note,)))

    # then
    assert max(falls) <= 0 > min(falls)
    assert float(loss(guided.latents)) < float(loss(plain.latents))
    assert guided.evaluations == 2 * plain.evaluations


def test_colour_guidance_pulls_the_picture_to_the_colour(tiny):
    # given
    hooks = Hooks(on_denoise=(colour_guidance(tiny, (0.9, 0.1, 0.1), strength=0.5),))

    # when
    plain = tiny.run("a circle", seed=7, steps=6).images[0]
    red = tiny.run("a circle", seed=7, steps=6, hooks=hooks).images[0]

    # then
    def redness(image):
        red, green, blue = np.asarray(image).mean(axis=(0, 1))
        return float(red - (green + blue) / 2)

    assert redness(red) > redness(plain) + 5


def test_a_swapped_prompt_shows_from_its_step_on(pipe):
    # given
    other = pipe.run("a blue star at night", seed=7, steps=6)
    plain = pipe.run(PROMPT, seed=7, steps=6)

    # when
    def swapped(at):
        hooks = Hooks(on_model=(swap_prompt(pipe, "a blue star at night", at=at),))
        return pipe.run(PROMPT, seed=7, steps=6, hooks=hooks)

    # then
    assert torch.equal(swapped(0).latents, other.latents)
    assert torch.equal(swapped(4).trace.x[:5], plain.trace.x[:5])
    assert not torch.allclose(swapped(4).latents, plain.latents, atol=1e-3)


def test_injected_noise_is_an_image_s_own(pipe):
    # given
    request = GenerationRequest(
        prompt=PROMPT, seed=7, steps=4, hooks=(HookUse.parse("step:noise_injection amount=0.3"),)
    )

    # when
    result = pipe.run(request)

    # then
    assert torch.equal(result.latents, pipe.run(request).latents)
    assert not torch.allclose(result.latents, pipe.run(PROMPT, seed=7, steps=4).latents, atol=1e-2)


def test_channels_are_moved_by_what_is_said(pipe):
    # given
    event = events_of(pipe, DenoiseEvent, Hooks())[3]

    # when
    moved = nudge_channels(event, shift=(0.5, 0.0, 0.0, -0.5), contrast=2.0)

    # then
    mean = event.denoised.mean(dim=(0, 2, 3))
    by = torch.tensor([0.5, 0.0, 0.0, -0.5])
    assert torch.allclose(moved.mean(dim=(0, 2, 3)) - mean, by, atol=1e-5)
    assert torch.allclose(moved.std(dim=(2, 3)), 2 * event.denoised.std(dim=(2, 3)), rtol=1e-4)
    with pytest.raises(HookError, match="4 numbers"):
        hooks = Hooks(on_denoise=(partial(nudge_channels, shift=(1.0,)),))
        events_of(pipe, ModelEvent, hooks)
