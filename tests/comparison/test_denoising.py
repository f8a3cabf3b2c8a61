import threading
from pathlib import Path

import torch
from safetensors.torch import save_file

from sdnb.comparison.denoising import as_denoiser, starting_latents
from sdnb.control import Control
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from tests.models.controlnets import picture, random_controlnet, save_diffusers


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


def test_it_is_steered_by_the_controls_of_the_request(pipe: Pipeline, tmp_path: Path) -> None:
    # given
    net = save_diffusers(random_controlnet(pipe.components.unet), tmp_path / "net.safetensors")
    bare = GenerationRequest(prompt="a cat", seed=3, sampler="euler", steps=2, width=32, height=32)
    request = bare.changed(controls=Control(picture=picture(), reference=net, weight=0.5))
    levels = sigmas("karras", 2, noise_schedule=pipe.components.noise_schedule)

    # when
    x = starting_latents(pipe.components, request, float(levels[0]))
    end = sample(as_denoiser(pipe, request), x, levels, "euler")

    # then
    assert torch.allclose(end, pipe.run(request).latents, atol=1e-4)
    assert not torch.allclose(end, pipe.run(bare).latents, atol=1e-2)


def test_it_wears_the_loras_of_the_request(pipe: Pipeline, tmp_path: Path) -> None:
    # given
    weight = pipe.components.unet.conv_in.weight
    down, up = torch.ones(1, *weight.shape[1:]), torch.ones(len(weight), 1, 1, 1)
    tensors = {"lora_unet_conv_in.lora_down.weight": down, "lora_unet_conv_in.lora_up.weight": up}
    save_file(tensors, tmp_path / "style.safetensors")
    bare = GenerationRequest(prompt="a cat", seed=3, sampler="euler", steps=2, width=32, height=32)
    request = bare.changed(loras=f"{tmp_path}/style.safetensors:0.1")
    levels = sigmas("karras", 2, noise_schedule=pipe.components.noise_schedule)

    # when
    x = starting_latents(pipe.components, request, float(levels[0]))
    end = sample(as_denoiser(pipe, request), x, levels, "euler")

    # then
    assert torch.allclose(end, pipe.run(request).latents, atol=1e-4)
    assert not torch.allclose(end, pipe.run(bare).latents, atol=1e-2)


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
