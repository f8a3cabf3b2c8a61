"""The levels that are read off a scheduler are those of its latents."""

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler

import sdnb
from tests.models.pipelines import NOISE, Toy


@pytest.mark.parametrize(
    "name",
    [
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "LMSDiscreteScheduler",
    ],
)
def test_sigma_is_the_level_by_which_the_scheduler_scales_its_input(name):
    # given: these scale by 1 / sqrt(sigma² + 1)
    toy, implied = Toy(getattr(diffusers, name)(**NOISE)), []

    def answer(x, t):
        scale = float(toy.scheduler.scale_model_input(torch.ones(1, dtype=torch.float64), t))
        implied.append((1 / scale**2 - 1) ** 0.5)
        return toy.transformer(x * scale, t)[0]

    toy.answer = answer

    # when
    with torch.random.fork_rng(), sdnb.observe(toy) as seen:
        toy()

    # then
    assert [step.sigma for step in seen.steps] == pytest.approx(implied, rel=1e-4)
    assert [step.sigma_next for step in seen.steps] == pytest.approx([*implied[1:], 0], rel=1e-4)


@pytest.mark.parametrize(
    "name", ["FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"]
)
def test_along_a_straight_flow_sigma_says_where_x_is(name):
    # given: x = x0 + sigma * v
    x0, v = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    scheduler = getattr(diffusers, name)()
    scheduler.set_timesteps(4)
    toy, x = Toy(scheduler), x0 + v

    # when
    with sdnb.observe(toy) as seen:
        for t in scheduler.timesteps:
            toy.transformer(x, t)
            x = scheduler.step(v, t, x).prev_sample

    # then
    for step in seen.steps:
        assert torch.allclose(step.x, x0 + step.sigma * v, atol=1e-5)
        assert torch.allclose(step.x_next, x0 + step.sigma_next * v, atol=1e-5)


def test_a_scheduler_without_levels_has_no_sigma():
    # given
    toy = Toy(DDIMScheduler(**NOISE))

    # when
    with sdnb.observe(toy) as seen:
        toy()

    # then
    assert {(step.sigma, step.sigma_next) for step in seen.steps} == {(None, None)}
