"""Networks that are told the guidance draw what diffusers draws of them."""

from dataclasses import replace

import pytest
import torch
from diffusers import LatentConsistencyModelPipeline, LCMScheduler

import sdnb
from sdnb.registry import SCHEDULES
from tests.models.families.checkpoints import BUILDS, NOISE, make, original_unet, save_original

PROMPT, STEPS = "an astronaut riding a horse", 4


@pytest.fixture(scope="module")
def theirs():
    """Make diffusers' pipeline of a small network with random weights."""
    build = replace(BUILDS["sd1"], unet=BUILDS["sd1"].unet | {"time_cond_proj_dim": 32})
    parts = make(build).components
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.nn.init.normal_(parts["unet"].time_embedding.cond_proj.weight, std=0.5)
    names = ("beta_schedule", "beta_start", "beta_end")
    parts["scheduler"] = LCMScheduler(**{name: NOISE[name] for name in names})
    parts.pop("image_encoder", None)
    pipeline = LatentConsistencyModelPipeline(**parts, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def pipe(theirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lcm")
    theirs.save_pretrained(folder)
    return sdnb.load(str(folder))


@pytest.fixture
def spaced(theirs):
    """Register the levels of diffusers' LCM scheduler."""

    @sdnb.schedule("their_lcm")
    def levels(steps, noise_schedule):
        theirs.scheduler.set_timesteps(steps)
        chosen = noise_schedule.sigmas[theirs.scheduler.timesteps]
        return torch.cat([chosen, chosen.new_zeros(1)])

    yield "their_lcm"
    SCHEDULES.remove("their_lcm")


def drawn(pipe, **changes):
    asked = {"seed": 5, "steps": STEPS, "width": 64, "height": 64, "sampler": "lcm"}
    return pipe.run(PROMPT, **{**asked, **changes})


def noised_alike(event):
    """Noise the estimate with what theirs draws in that step."""
    draws = torch.Generator().manual_seed(11)
    noise = [torch.randn(event.x.shape, generator=draws) for _ in range(event.index + 1)][-1]
    return event.denoised + event.sigma_next * noise


@pytest.mark.parametrize("cfg_scale", [1.0, 8.5])
def test_a_picture_is_the_one_of_diffusers(pipe, theirs, spaced, cfg_scale):
    # given
    hooks = sdnb.Hooks(on_step=(noised_alike,))
    ours = drawn(pipe, cfg_scale=cfg_scale, schedule=spaced, hooks=hooks)
    start = ours.trace.x[0] / (1 + ours.trace.sigmas[0] ** 2) ** 0.5

    # when
    latents = theirs(
        PROMPT,
        latents=start,
        num_inference_steps=STEPS,
        guidance_scale=cfg_scale,
        generator=torch.Generator().manual_seed(11),
        output_type="latent",
        height=64,
        width=64,
    ).images

    # then
    assert (ours.latents - latents).norm() < 1e-4 * latents.norm()
    assert ours.evaluations == STEPS


def test_guidance_changes_the_picture_and_asks_no_more(pipe, spaced):
    # given
    rows = []
    handle = pipe.components.unet.register_forward_hook(lambda _m, x, _o: rows.append(len(x[0])))

    # when
    with handle:
        low, high = (drawn(pipe, cfg_scale=each, sampler="euler") for each in (1.0, 8.0))

    # then
    assert not torch.allclose(low.latents, high.latents, atol=1e-2)
    assert rows == [1] * 2 * STEPS


def test_a_negative_prompt_is_not_read_and_this_is_said(pipe):
    # when
    bare, negative = drawn(pipe), drawn(pipe, negative_prompt="blurry")

    # then
    assert torch.equal(bare.latents, negative.latents)
    assert not bare.notices
    assert "no negative prompt" in negative.notices[0]


def test_runs_with_other_guidance_share_their_calls(pipe):
    # when
    together = sdnb.compare(
        pipe, PROMPT, cfg_scale=[1.0, 4.0], seed=5, steps=2, width=64, height=64
    )

    # then
    for result, cfg_scale in zip(together.results, (1.0, 4.0), strict=True):
        alone = pipe.run(PROMPT, cfg_scale=cfg_scale, seed=5, steps=2, width=64, height=64)
        assert (result.latents - alone.latents).norm() < 1e-4 * alone.latents.norm()


def test_a_sampler_that_wants_both_answers_gets_the_guided_one_twice(pipe):
    plain, both = drawn(pipe, sampler="euler"), drawn(pipe, sampler="euler_cfg_pp")
    torch.testing.assert_close(plain.latents, both.latents, atol=1e-3, rtol=1e-3)


def test_a_single_file_draws_what_its_folder_draws(pipe, theirs, tmp_path, monkeypatch):
    # given
    monkeypatch.setattr("tests.models.families.checkpoints.original_unet", with_guidance)
    path = save_original(theirs, BUILDS["sd1"], tmp_path / "lcm.safetensors")

    # when
    file = sdnb.load(str(path))

    # then
    ours, folder = drawn(file, cfg_scale=8.0).latents, drawn(pipe, cfg_scale=8.0).latents
    assert (ours - folder).norm() < 1e-5 * folder.norm()


def with_guidance(unet):
    """Name the tensors of a network in the original way, the one that hears the guidance too."""
    projection, unet.time_embedding.cond_proj = unet.time_embedding.cond_proj, None
    try:
        return original_unet(unet) | {"time_embed.cond_proj.weight": projection.weight}
    finally:
        unet.time_embedding.cond_proj = projection
