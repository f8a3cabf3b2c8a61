"""Schedulers of diffusers as samplers: the same answers where both mean the same method."""

import pytest
import torch

from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField, UnknownName
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from tests.reference import array, problem

PAIRS = {
    "ddim": "DDIMScheduler",
    "euler": "EulerDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm_2": "KDPM2DiscreteScheduler",
    "plms": "PNDMScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
}
"""Ours and theirs. (LMSDiscreteScheduler extrapolates to 0 where `lms` returns denoised.)"""


class Asked:
    """A denoiser that remembers at which levels it was asked."""

    def __init__(self):
        self.levels = []

    def __call__(self, x, sigma):
        self.levels.append(sigma)
        return tuple(part.to(x) for part in problem("A")(x.double(), sigma))


@pytest.mark.parametrize("ours", PAIRS)
def test_a_scheduler_ends_where_our_sampler_of_its_method_ends(ours):
    # given
    denoiser, noise = Asked(), array("A/noise").float()
    levels = sigmas("karras", 12).tolist()
    start = noise * (1 + levels[0] ** 2) ** 0.5
    theirs = sample(denoiser, start, levels, f"diffusers:{PAIRS[ours]}")

    # when
    visited = list(dict.fromkeys(denoiser.levels)) if ours != "dpm_2" else denoiser.levels[::2]
    start = noise * (1 + visited[0] ** 2) ** 0.5
    end = sample(Asked(), start, [*visited, 0.0], ours)

    # then
    assert float((end - theirs).norm() / end.norm()) < 1e-5


def test_its_options_are_the_schedulers_own():
    options = SAMPLERS.options("diffusers:DPMSolverMultistepScheduler")
    assert options["algorithm_type"] == "dpmsolver++"
    assert "trained_betas" not in options
    with pytest.raises(UnknownName, match="solver_order"):
        SAMPLERS.bind("diffusers:DPMSolverMultistepScheduler", {"solver_ordr": 3})


def test_an_unknown_scheduler_names_the_nearest():
    with pytest.raises(UnknownName, match="DDIMScheduler"):
        SAMPLERS["diffusers:DDIMSchedular"]
    with pytest.raises(UnknownName):
        SAMPLERS["diffusers:FlowMatchEulerDiscreteScheduler"]


def test_it_runs_in_the_pipeline_with_noise_of_the_images_own(pipe):
    # given
    request = GenerationRequest(
        prompt="a red circle", seed=3, steps=4, sampler="diffusers:EulerAncestralDiscreteScheduler"
    )

    # when
    torch.manual_seed(5)
    batch = pipe.run(request, batch_size=2)

    # then
    assert torch.allclose(batch.latents[:1], pipe.run(request).latents, atol=1e-3)
    assert len(batch.trace.denoised) == 4


def test_a_scheduler_with_levels_of_its_own_starts_from_pure_noise_only():
    levels = sigmas("karras", 12, denoise=0.5, noise_schedule=scaled_linear())
    start = problem("A").start(float(levels[0])).float()
    with pytest.raises(InvalidField, match="pure noise"):
        sample(Asked(), start, levels, "diffusers:DDIMScheduler")


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_a_scheduler_that_takes_our_levels_starts_anywhere(share):
    levels = sigmas("karras", 12, denoise=share)
    start = problem("A").start(float(levels[0])).float()
    end = sample(Asked(), start, levels, "diffusers:EulerDiscreteScheduler")
    ours = sample(Asked(), start, levels, "euler")
    assert float((end - ours).norm() / ours.norm()) < 1e-5


def test_what_a_scheduler_refuses_is_said_with_its_name():
    with pytest.raises(InvalidField, match="LCMScheduler of diffusers"):
        sample(Asked(), torch.ones(1, 4, 2, 2), sigmas("karras", 60), "diffusers:LCMScheduler")
