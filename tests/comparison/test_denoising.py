import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import wraps
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from sdnb.comparison.denoising import as_denoiser, starting_latents
from sdnb.control import Control
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.models.controlnet import ControlNets
from sdnb.models.vae import encode_images
from sdnb.picture import FromImage
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
    x = starting_latents(pipe, request, float(levels[0]))
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
    x = starting_latents(pipe, request, float(levels[0]))
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
    x = starting_latents(pipe, request, float(levels[0]))
    end = sample(as_denoiser(pipe, request), x, levels, "euler")

    # then
    assert torch.allclose(end, pipe.run(request).latents, atol=1e-4)
    assert not torch.allclose(end, pipe.run(bare).latents, atol=1e-2)


def test_both_answers_are_the_same_without_guidance(pipe: Pipeline) -> None:
    request = GenerationRequest(prompt="a red circle", cfg_scale=1, width=32, height=32)
    x = starting_latents(pipe, request, 5.0)
    guided, plain = as_denoiser(pipe, request)(x, 5.0)
    assert torch.equal(guided, plain)


def test_it_waits_while_another_thread_computes(pipe: Pipeline) -> None:
    # given
    request = GenerationRequest(prompt="a red circle", width=32, height=32)
    ask, x = as_denoiser(pipe, request), starting_latents(pipe, request, 5.0)
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


def test_files_and_pictures_are_read_in_the_turn_of_the_pipeline(
    pipe: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    net = save_diffusers(random_controlnet(pipe.components.unet), tmp_path / "net.safetensors")
    steered = GenerationRequest(controls=Control(picture=picture(), reference=net))
    begun = GenerationRequest(start=FromImage(picture()), width=32, height=32)
    reached: list[str] = []
    monkeypatch.setattr(ControlNets, "resolved", _noted(ControlNets.resolved, reached))
    monkeypatch.setattr("sdnb.start.encode_images", _noted(encode_images, reached))

    # when
    with ThreadPoolExecutor() as others:
        with pipe.turn():
            waiting = [
                others.submit(as_denoiser, pipe, steered),
                others.submit(starting_latents, pipe, begun, 5.0),
            ]
            sleep(0.3)
            reached_meanwhile = [*reached]
        wait(waiting, timeout=30)

    # then
    assert not reached_meanwhile
    assert sorted(reached) == ["encode_images", "resolved"]


def _noted(function: Callable[..., Any], called: list[str]) -> Callable[..., Any]:
    @wraps(function)
    def noting(*args: Any, **kwargs: Any) -> Any:
        called.append(function.__name__)
        return function(*args, **kwargs)

    return noting


def test_they_differ_with_guidance(pipe: Pipeline) -> None:
    request = GenerationRequest(prompt="a red circle", cfg_scale=3, width=32, height=32)
    x = starting_latents(pipe, request, 5.0)
    guided, plain = as_denoiser(pipe, request)(x, 5.0)
    assert not torch.allclose(guided, plain)
