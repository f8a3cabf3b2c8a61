"""Runs of the embedded model: the same picture however it is asked for, and nothing left behind."""

import dataclasses
import pickle
import subprocess
import sys
import threading

import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode

import sdnb
from sdnb.diffusion.samplers.contract import Evaluate, sampler
from sdnb.errors import InvalidField, ModelError, PipelineBusy, UnknownName
from sdnb.events import DenoiseEvent, Hooks, ImageEvent, StepEvent
from sdnb.models.vae import encode_images, from_pil
from sdnb.picture import FromImage, Picture
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.trace import Recorder

PROMPT = "a red circle on a meadow"


def test_the_same_request_gives_the_same_picture_whatever_the_global_generator(pipe):
    # when
    torch.manual_seed(1)
    first = pipe.run(PROMPT, seed=7, steps=4, sampler="euler_ancestral")
    torch.manual_seed(2)
    second = pipe.run(first.request)

    # then
    assert torch.equal(first.latents, second.latents)


BATCHED = [name for name in SAMPLERS.names() if not SAMPLERS[name].adaptive]


@pytest.mark.parametrize("sampler", BATCHED)
def test_an_image_is_the_same_alone_or_in_a_batch(pipe, sampler):
    # when
    small = {"steps": 3, "sampler": sampler, "width": 64, "height": 64}
    batch = pipe.run(PROMPT, seed=7, batch_size=3, **small)
    alone = pipe.run(PROMPT, seed=9, **small)

    # then
    assert batch.seeds == (7, 8, 9)
    difference = batch.latents[2] - alone.latents[0]
    assert float(difference.norm() / alone.latents.norm()) < 1e-3


def test_a_sampler_that_chooses_its_steps_takes_one_image_at_a_time(pipe):
    # when
    result = pipe.run(PROMPT, seed=7, sampler="dpm_adaptive rtol=0.5")

    # then
    assert not result.interrupted
    assert len(result.trace.sigmas) - 1 == len(result.trace.denoised) < result.evaluations
    with pytest.raises(InvalidField, match="batch_size=2"):
        pipe.run(PROMPT, sampler="dpm_adaptive", batch_size=2)


def test_the_number_of_steps_is_unknown_where_the_sampler_chooses_them(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=6, sampler="dpm_fast")

    # when
    steps = [event for event in run if isinstance(event, StepEvent)]

    # then
    assert [event.total for event in steps] == [None] * 3
    assert [event.sigma_next for event in steps[:-1]] == [event.sigma for event in steps[1:]]
    assert run.evaluations == 6


def test_cfg_pp_asks_without_a_prompt_even_where_guidance_is_off(tiny):
    # given
    run = tiny.start(PROMPT, seed=7, steps=2, cfg_scale=1, sampler="euler_cfg_pp")

    # when
    answers = [event for event in run if isinstance(event, DenoiseEvent)]

    # then
    assert [set(event.eps) for event in answers] == [{"uncond", "cond"}] * 2
    plain = tiny.run(PROMPT, seed=7, steps=2, cfg_scale=1, sampler="euler")
    assert not torch.allclose(run.x, plain.latents, atol=1e-3)


def test_a_missing_seed_and_size_are_resolved_and_recorded(pipe):
    result = pipe.run(PROMPT, steps=1)
    assert result.request.seed is not None
    assert (result.request.width, result.request.height) == (128, 128)
    assert result.request.checkpoint == "tiny"


def test_the_global_generator_is_left_alone(pipe):
    state = torch.get_rng_state()
    pipe.run(PROMPT, steps=2, sampler="euler_ancestral")
    assert torch.equal(state, torch.get_rng_state())


def test_without_guidance_the_network_is_asked_one_branch(pipe):
    # given
    branches = []

    # when
    hooks = Hooks(on_denoise=(lambda event: branches.append(tuple(event.eps)),))
    pipe.run(PROMPT, steps=1, cfg_scale=1, hooks=hooks)
    pipe.run(PROMPT, steps=1, cfg_scale=4, hooks=hooks)

    # then
    assert branches == [("cond",), ("uncond", "cond")]


def test_a_run_can_be_stepped_and_finished(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=4)

    # when
    first = run.step()
    preview = run.preview()
    result = run.finish()

    # then
    assert isinstance(first, StepEvent)
    assert first.index == 0
    assert preview[0].size == (128, 128)
    assert torch.equal(result.latents, pipe.run(PROMPT, seed=7, steps=4).latents)
    assert run.step() is None


def test_a_held_run_shows_where_it_stands(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=4)
    run.step()

    # when
    bundle = run._repr_mimebundle_()

    # then
    assert bundle["text/plain"].startswith("<Run: step 1 of 4, sigma ")
    assert f'alt="Preview of seed 7: {PROMPT}"' in bundle["text/html"]


def test_two_runs_can_be_held_at_once(pipe):
    # given
    runs = [pipe.start(PROMPT, seed=seed, steps=3) for seed in (1, 2)]

    # when
    for _ in range(3):
        for run in runs:
            run.step()
    ends = [run.finish().latents for run in runs]

    # then
    for seed, end in zip((1, 2), ends, strict=True):
        assert torch.equal(end, pipe.run(PROMPT, seed=seed, steps=3).latents)


def test_replaced_latents_are_what_the_run_goes_on_from(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=3)
    run.step()

    # when
    run.replace(torch.zeros_like(run.x))
    following = run.step()

    # then
    assert torch.equal(following.x, torch.zeros_like(following.x))
    assert torch.equal(run.finish().trace.x[1], torch.zeros_like(following.x))


def test_latents_altered_in_place_are_those_that_the_trace_shows(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=3)
    run.step()

    # when
    run.x.zero_()
    following = run.step()

    # then
    assert not following.x.any()
    assert not run.finish().trace.x[1].any()


def test_a_state_that_nobody_replaced_is_copied_once(pipe):
    # given
    recorder, x = Recorder(), torch.ones(1, 4, 2, 2)
    recorder.start(1.0, x)
    copy = recorder.x[0]

    # when / then
    recorder.replace_state(x)
    assert recorder.x[0] is copy
    recorder.replace_state(x.clone())
    assert recorder.x[0] is not copy


def test_the_trace_is_on_the_cpu_whatever_the_device():
    # given
    recorder = Recorder()
    with FakeTensorMode():
        x = torch.zeros(1, 4, 2, 2, device="mps")

        # when
        recorder.start(1.0, x)
        film = recorder.trace().x

    # then
    assert (x.device.type, film.device.type) == ("mps", "cpu")


def test_a_sampler_that_makes_no_step_is_named(pipe):
    # given
    def idle(x, sigmas, noise):
        yield Evaluate(x, sigmas[0])

    sampler("idle", order=1)(idle)

    # when / then
    try:
        with pytest.raises(InvalidField, match="idle ended without a step"):
            pipe.run(PROMPT, steps=2, sampler="idle")
    finally:
        SAMPLERS.remove("idle")


def test_latents_are_replaced_only_where_the_sampler_waits_for_them(pipe):
    # given
    run = pipe.start(PROMPT, steps=2)

    # when / then
    with pytest.raises(InvalidField, match="between two steps"):
        run.replace(torch.zeros(1, 4, 16, 16))
    run.step()
    for wrong in (torch.zeros(1, 4, 8, 8), torch.full((1, 4, 16, 16), float("nan"))):
        with pytest.raises(InvalidField, match="finite latents of its own shape"):
            run.replace(wrong)
    assert type(next(run)).__name__ == "ModelEvent"
    with pytest.raises(InvalidField, match="between two steps"):
        run.replace(torch.zeros(1, 4, 16, 16))


def test_a_cancelled_run_gives_what_there_is(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=5)
    run.step()

    # when
    run.cancel()
    result = run.finish()

    # then
    assert result.interrupted
    assert len(result.trace.denoised) == 1
    assert result.evaluations == 1
    assert result.images[0].size == (128, 128)
    assert "interrupted" in result.facts


def test_an_interrupt_leaves_run_and_pipeline_usable(pipe):
    # given
    def interrupt(event):
        if event.index == 2:
            raise KeyboardInterrupt

    run = pipe.start(PROMPT, seed=7, steps=5, hooks=Hooks(on_step=(interrupt,)))

    # when
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    run.cancel()
    result = run.finish()

    # then
    assert result.interrupted
    assert result.images
    assert not pipe.run(PROMPT, steps=1).interrupted


def test_an_interrupt_inside_the_network_loses_neither_run_nor_picture(pipe, monkeypatch):
    # given
    forward, calls = pipe.components.unet.forward, iter(range(1000))

    def interrupted_once(*args, **kwargs):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return forward(*args, **kwargs)

    monkeypatch.setattr(pipe.components.unet, "forward", interrupted_once)
    run, other = (pipe.start(PROMPT, seed=7, steps=5) for _ in range(2))

    # when
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    resumed = run.finish()
    calls = iter(range(1000))
    with pytest.raises(KeyboardInterrupt):
        other.finish()
    other.cancel()
    ended = other.finish()

    # then
    assert torch.equal(resumed.latents, pipe.run(PROMPT, seed=7, steps=5).latents)
    assert ended.interrupted
    assert len(ended.trace.denoised) == 2
    assert ended.images


def test_an_interrupt_while_decoding_keeps_the_finished_latents(pipe):
    # given
    def interrupt(_event):
        raise KeyboardInterrupt

    run = pipe.start(PROMPT, seed=7, steps=3, hooks=Hooks(on_image=(interrupt,)))

    # when
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    run.cancel()

    # then
    assert torch.equal(run.finish().latents, pipe.run(PROMPT, seed=7, steps=3).latents)


def test_a_run_cancelled_at_once_has_no_picture(pipe):
    run = pipe.start(PROMPT, steps=2)
    run.cancel()
    assert run.finish().images == ()
    assert run.preview() == []


def test_a_second_thread_waits_or_is_told(pipe):
    # given
    inside, go_on = threading.Event(), threading.Event()

    def hold(_event):
        inside.set()
        go_on.wait(10)

    hooks = Hooks(on_start=(hold,))
    other = threading.Thread(target=pipe.run, args=(PROMPT,), kwargs={"steps": 1, "hooks": hooks})
    other.start()
    inside.wait(10)

    # when / then
    try:
        with pytest.raises(PipelineBusy):
            pipe.run(PROMPT, steps=1, wait=False)
    finally:
        go_on.set()
        other.join()
    assert pipe.run(PROMPT, steps=1, wait=False).images


def test_a_picture_half_denoised_stays_near_itself(pipe):
    # given
    picture = Image.new("RGB", (64, 64), (200, 40, 40))
    start = FromImage(Picture.of(picture))

    # when
    near = pipe.run(PROMPT, seed=1, start=start, denoise=0.05, steps=2)
    far = pipe.run(PROMPT, seed=1, start=start, denoise=0.9, steps=2)

    # then
    latents = encode_images(pipe.components, from_pil([picture.resize((128, 128))]))
    distances = [float((result.latents - latents).norm()) for result in (near, far)]
    assert distances[0] < 0.5 * distances[1]
    assert distances[0] < 0.5 * float(latents.norm())


def test_the_trace_holds_every_state_and_answer(pipe):
    # given
    steps = []

    # when
    hooks = Hooks(on_step=(steps.append,))
    result = pipe.run(PROMPT, seed=7, steps=3, sampler="heun", batch_size=2, hooks=hooks)

    # then
    trace = result.trace
    assert trace.x.shape == (4, 2, 4, 16, 16)
    assert trace.denoised.shape == (3, 2, 4, 16, 16)
    assert len(trace.evaluations) == result.evaluations == 5
    assert set(trace.evaluations[0].eps) == {"uncond", "cond"}
    assert trace.sigmas[-1] == 0
    assert all(torch.equal(step.x, x) for step, x in zip(steps, trace.x, strict=False))


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_not_a_number_from_the_model_ends_the_run_naming_the_step(pipe, poisoned, sampler):
    with pytest.raises(ModelError, match=r"step 1|a step of"):
        pipe.run(PROMPT, steps=6, sampler=sampler, hooks=poisoned(1), width=64, height=64)


def test_no_hook_is_blamed_for_what_the_network_did(pipe, poisoned):
    # given
    hooks = poisoned(1) + Hooks(on_denoise=(lambda event: event.denoised / 2,))

    # when / then
    with pytest.raises(ModelError, match="step 1"):
        pipe.run(PROMPT, steps=3, sampler="euler", hooks=hooks)


def test_a_result_survives_pickling(pipe):
    result = pipe.run(PROMPT, seed=7, steps=2)
    copy = pickle.loads(pickle.dumps(result))
    assert copy.facts == result.facts
    assert torch.equal(copy.trace.x, result.trace.x)


def test_a_pipeline_refuses_a_request_for_another_checkpoint(pipe):
    with pytest.raises(InvalidField, match="another checkpoint"):
        pipe.run(GenerationRequest(checkpoint="org/other"))


def test_an_unregistered_hook_of_a_request_is_unknown(pipe):
    result = pipe.run(PROMPT, steps=1, hooks=Hooks(on_step=(_look,)))
    assert [str(use) for use in result.request.hooks] == ["step:_look"]
    with pytest.raises(UnknownName, match="_look"):
        pipe.run(result.request)
    again = pipe.run(result.request, hooks=Hooks(on_step=(_look,)))
    assert again.request == result.request


def test_the_last_event_holds_the_pictures(pipe):
    *_, last = pipe.start(PROMPT, steps=1)
    assert isinstance(last, ImageEvent)
    assert last.images.shape == (1, 3, 128, 128)


def test_the_import_is_quick_because_it_loads_no_torch():
    # given
    heavy = ("torch", "diffusers", "transformers", "IPython")
    code = f"import sys, sdnb; print([name for name in {heavy} if name in sys.modules])"

    # when
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    # then
    assert out.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert len(sdnb.__all__) <= 30
    for name in sdnb.__all__:
        assert getattr(sdnb, name) is not None
    with pytest.raises(AttributeError):
        _ = sdnb.nothing


def _look(event):
    """Look at a step and change nothing."""


def test_a_text_that_stands_there_twice_is_read_as_once(pipe):
    # given: a prompt beside a negative one as long, then twice as long
    def twice(event):
        cond = event.branches["cond"]
        again = dataclasses.replace(cond, embeds=cond.embeds.repeat(1, 2, 1))
        return dataclasses.replace(event, branches={**event.branches, "cond": again})

    once = pipe.run("a red cat", seed=3, steps=2, attention=True)
    # when
    seen = pipe.run("a red cat", seed=3, steps=2, hooks=Hooks(on_model=(twice,)), attention=True)
    # then
    assert torch.allclose(seen.latents, once.latents, atol=1e-4)
    assert torch.allclose(seen.attention.map("cat"), once.attention.map("cat"), atol=1e-3)


def test_words_change_on_the_way(pipe):
    # given
    prompt = "a [red:blue:0.5] circle"
    texts = []
    hooks = Hooks(on_text=(lambda event: texts.append(event.prompt),))
    # when
    result = pipe.run(prompt, seed=3, steps=4, cfg_scale=1, hooks=hooks)
    early, late = (
        pipe.run(f"a {colour} circle", seed=3, steps=4, cfg_scale=1) for colour in ("red", "blue")
    )
    # then
    assert texts == ["a red circle", "a blue circle"]
    assert torch.equal(result.trace.x[2], early.trace.x[2])
    assert not torch.equal(result.trace.x[3], early.trace.x[3])
    branched = pipe.branch(early, step=2, prompt="a blue circle").finish()
    assert torch.allclose(result.latents, branched.latents, atol=1e-5)
    assert not torch.allclose(result.latents, late.latents, atol=1e-3)


def test_a_long_prompt_and_a_short_one_are_asked_together(pipe):
    long = "a red circle on a meadow " * 20
    result = pipe.run(long, negative_prompt="snow", seed=3, steps=2)
    comparison = sdnb.compare(pipe, seed=3, steps=2, prompt=[long, "a cat"], negative_prompt="snow")
    apart = (comparison.results[0].latents - result.latents).norm() / result.latents.norm()
    assert apart < 1e-4


@pytest.mark.parametrize("sampler", ["dpm_fast", "dpm_adaptive"])
def test_words_change_where_a_sampler_makes_steps_of_its_own(pipe, sampler):
    # given
    options = {
        "seed": 3,
        "steps": 12,
        "sampler": sampler,
        "cfg_scale": 1,
        "width": 64,
        "height": 64,
    }
    # when
    changed = pipe.run("a [red:blue:0.3] circle", **options)
    red = pipe.run("a red circle", **options)
    # then
    assert torch.equal(changed.trace.x[0], red.trace.x[0])
    assert not torch.allclose(changed.latents, red.latents, atol=1e-3)


def test_prompts_of_very_different_lengths_are_asked_apart(pipe):
    # given: two chunks and nine have no small multiple
    long, longer = "red " * 100, "blue " * 600
    # when
    result = pipe.run(longer, negative_prompt=long, seed=3, steps=1, width=32, height=32)
    # then
    assert result.latents.isfinite().all()
