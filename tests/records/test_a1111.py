"""Texts as A1111's web UI writes them, made here from the description of their form."""

import pytest

from sdnb.choice import Choice
from sdnb.errors import InvalidField
from sdnb.lora import Lora
from sdnb.parameters_text import SAMPLER_NAMES, SCHEDULE_NAMES, parameters
from sdnb.records.a1111 import read_parameters
from sdnb.records.recalled import Recalled
from sdnb.request import GenerationRequest

TEXT = """\
a (red:1.2) fish, [blurry] <lora:ink:0.8>
in water
Negative prompt: a dog,
a cat
Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 77, Size: 512x768, \
Model hash: 6ce0161689, Model: photon_v1, Clip skip: 2, RNG: CPU, Version: v1.9.4"""


def read(text: str) -> Recalled:
    return read_parameters(text, "a.png")


def why(recalled: Recalled) -> dict[str, str]:
    return {line.what: line.why for line in recalled.differences}


def test_what_can_be_mapped_is_mapped() -> None:
    # when
    recalled = read(TEXT)
    # then
    assert recalled.request == GenerationRequest(
        prompt="a (red:1.2) fish, [blurry] \nin water",
        negative_prompt="a dog,\na cat",
        seed=77,
        steps=25,
        cfg_scale=6.5,
        width=512,
        height=768,
        sampler=Choice("dpmpp_2m"),
        schedule=Choice("karras"),
        loras=(Lora("ink", 0.8),),
        checkpoint="photon_v1",
        clip_skip=1,
        syntax="a1111",
    )
    assert recalled.source == "A1111"


def test_what_is_not_at_hand_is_said() -> None:
    said = why(read(TEXT.replace("ink", "nobody_has_this")))
    assert set(said) == {"LoRA", "Model"}
    assert "model folder" in said["LoRA"]


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_samplers_and_schedules_come_back_by_their_names(sampler: str) -> None:
    for schedule in SCHEDULE_NAMES:
        request = GenerationRequest(prompt="a", seed=3, sampler=sampler, schedule=schedule)
        assert read(parameters(request, index=0)).request == request


def test_our_own_text_says_that_it_is_ours() -> None:
    recalled = read(parameters(GenerationRequest(prompt="a", seed=3, sampler="tcd"), index=1))
    assert recalled.source == "sdnb, as parameters"
    assert (recalled.request.seed, recalled.request.sampler.name) == (4, "tcd")


@pytest.mark.parametrize(
    ("written", "sampler", "schedule"),
    [
        ("Sampler: DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("Sampler: DPM++ 2M", "dpmpp_2m", "karras"),
        ("Sampler: Euler a", "euler_ancestral", "normal"),
        ("Sampler: Euler, Schedule type: Automatic", "euler", "normal"),
        ("Sampler: Heun, Schedule type: SGM Uniform", "heun", "sgm_uniform"),
    ],
)
def test_older_and_automatic_schedules_are_understood(written, sampler, schedule) -> None:
    request = read(f"a\nSteps: 5, {written}, Seed: 1").request
    assert (request.sampler.name, request.schedule.name) == (sampler, schedule)


@pytest.mark.parametrize(
    ("written", "what", "reason"),
    [
        ("Sampler: Euler", "RNG", "GPU"),
        ("Sampler: Euler a, RNG: CPU", "Sampler", "noise inside the loop"),
        ("Sampler: Restart", "Sampler", "unknown here"),
        ("Sampler: diffusers:X", "Sampler", "unknown here"),
        ("Seed: 1", "Sampler", "not said"),
        ("Sampler: Euler, Schedule type: Turbo", "Schedule type", "unknown here"),
        ("Sampler: DDIM", "Schedule type", "levels of its own"),
        ("ENSD: 31337", "ENSD", "no such setting"),
        ('ControlNet 0: "Module: depth, Weight: 1"', "ControlNet 0", "no such setting"),
        ("VAE: kl-f8", "VAE", "--vae"),
        ("Denoising strength: 0.6", "Denoising strength", "--image FILE --strength 0.6"),
        ("Size: 511x512", "Size", "multiple of 8"),
        ("CFG scale: many", "CFG scale", "number"),
        ("Seed: -1", "Seed", "out of its range"),
        ("Hires upscale: 2, Hires upscaler: 4x-UltraSharp", "Hires upscale", "lanczos instead"),
    ],
)
def test_what_cannot_match_says_why(written: str, what: str, reason: str) -> None:
    assert reason in why(read(f"a\nSteps: 5, {written}"))[what]


def test_prompts_in_another_dialect_are_said() -> None:
    said = why(
        read("a cat AND a dog [red|blue] <hypernet:x:1>\nSteps: 5, Sampler: Euler, RNG: CPU")
    )
    assert set(said) == {"AND", "[a|b]", "<hypernet:…>"}


def test_a_second_pass_is_understood() -> None:
    # when
    written = "Denoising strength: 0.4, Hires upscale: 1.5, Hires steps: 10, Hires upscaler: Latent"
    resized = "Size: 64x96, Hires resize: 128x192, Denoising strength: 0.7"
    # then
    assert str(read(f"a\nSteps: 5, {written}").request.hires) == (
        "1.5x denoise=0.4 steps=10 upscale=latent"
    )
    assert str(read(f"a\nSteps: 5, {resized}").request.hires) == "2x denoise=0.7 upscale=latent"


def test_a_path_in_a_file_is_only_a_name() -> None:
    request = read(
        "a <lora:../../secret/ink:1>\nSteps: 5, Model: C:\\models\\x.safetensors"
    ).request
    assert request.loras == (Lora("ink"),)
    assert request.checkpoint == "x"


@pytest.mark.parametrize("text", ["", "a cat", "Steps", "a\nSteps: 5\n" + "b" * 300_000])
def test_a_text_without_settings_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="steps"):
        read(text)
