import threading

import torch

from sdnb.comparison.denoising import as_denoiser, starting_latents
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest


def test_sampling_with_it_is_what_a_run_does(pipe: Pipeline) -> None:
    # given
    request = GenerationRequest(
        prompt="a red circle", negative_prompt="night", seed=3, sampler="euler", steps=3, width=32
    )
    levels = sigmas("karras", 3, noise_schedule=pipe.components.noise_schedule)
    # when
    x = starting_latents(pipe.components, request, float(levels[0]))
    end = sample(as_denoiser(pipe, request), x, levels, "euler")
    # then
    assert torch.allclose(end, pipe.run(request).latents, atol=1e-5)


def test_both_answers_are_the_same_without_guidance(pipe: Pipeline) -> None:
    request = GenerationRequest(prompt="a red circle", cfg_scale=1, width=32, height=32)
    x = starting_latents(pipe.components, request, 5.0)
    guided, plain = as_denoiser(pipe, request)(x, 5.0)
    assert torch.equal(guided, plain)


def test_it_waits_while_another_thread_computes(pipe: Pipeline) -> None:
    # given
    request = GenerationRequest(prompt="a red circle", width=32, height=32)
    ask, x = as_denoiser(pipe, request), starting_latents(pipe.components, request, 5.0)
    asked, answered = threading.Event(), threading.Event()
    watch = pipe.components.unet.register_forward_pre_hook(lambda *_call: asked.set())

    def question() -> None:
        ask(x, 5.0)
        answered.set()

    # when
    other = threading.Thread(target=question)
    with pipe.turn():
        other.start()
        reached = asked.wait(0.5)
    other.join(30)
    watch.remove()
    # then
    assert not reached
    assert answered.is_set()


def test_they_differ_with_guidance(pipe: Pipeline) -> None:
    request = GenerationRequest(prompt="a red circle", cfg_scale=3, width=32, height=32)
    x = starting_latents(pipe.components, request, 5.0)
    guided, plain = as_denoiser(pipe, request)(x, 5.0)
    assert not torch.allclose(guided, plain)
