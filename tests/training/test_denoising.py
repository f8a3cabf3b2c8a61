"""A U-Net trained on pictures and captions of one's own."""

from dataclasses import replace
from random import Random

import pytest
import torch
from PIL import Image

from sdnb.diffusion.forward import add_noise
from sdnb.errors import InvalidField
from sdnb.pipeline import load
from sdnb.training.computing import seeded
from sdnb.training.denoising import (
    Examples,
    draw_examples,
    noise_error,
    noise_loss,
    with_unet,
)
from sdnb.training.diffusion import make_unet
from sdnb.training.loop import TrainPlan, TrainState, by_steps, train

CAPTIONS = ["a red circle", "a blue star", "a red circle"]


@pytest.fixture(scope="module")
def pipe(made):
    """The few steps' model of the recipe, whose networks are tiny."""
    return load(str(made[1]))


@pytest.fixture(scope="module")
def examples(pipe):
    pictures = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "green")]
    return Examples.of(pipe, pictures, CAPTIONS)


def small_unet(pipe):
    with seeded(0):
        return replace(pipe.components, unet=make_unet((16, 16)))


def test_examples_are_latents_and_what_is_said_of_them(pipe, examples):
    # then
    assert examples.latents.shape == (3, 4, 4, 4)
    assert torch.equal(examples.told[0].embeds, examples.told[2].embeds)
    assert not torch.equal(examples.told[0].embeds, examples.told[1].embeds)
    bare = Examples.of(pipe, [Image.new("RGB", (32, 32))])
    assert torch.equal(bare.told[0].embeds, examples.empty.embeds)


@pytest.mark.parametrize("count", [0, 2])
def test_every_picture_has_its_caption(pipe, count):
    with pytest.raises(InvalidField, match="its caption"):
        Examples.of(pipe, [Image.new("RGB", (32, 32))] * count, ["one"])


def test_pictures_of_two_sizes_are_refused(pipe):
    with pytest.raises(InvalidField, match="one size"):
        Examples.of(pipe, [Image.new("RGB", size) for size in ((32, 32), (64, 32))])


def test_a_step_spreads_its_timesteps_and_leaves_some_captions_empty(examples):
    # given
    half = replace(examples, empty_share=0.5)

    # when
    drawn, again = (draw_examples(half, 1000, 64, Random("7")) for _ in range(2))

    # then
    assert torch.equal(drawn.eps, again.eps)
    edges = torch.arange(64) * 1000 / 64
    assert bool((drawn.t >= edges.floor()).all() and (drawn.t <= (edges + 1000 / 64).ceil()).all())
    assert 16 < sum(told is half.empty for told in drawn.told) < 48
    none = draw_examples(replace(examples, empty_share=0.0), 1000, 64, Random("7"))
    assert not any(told is examples.empty for told in none.told)


def test_the_error_is_that_of_the_noise_the_pipeline_would_see(pipe, examples):
    # given
    from sdnb.comparison.denoising import ask_network

    drawn = draw_examples(replace(examples, empty_share=0.0), 1000, 1, Random("3"))
    number = next(i for i, told in enumerate(examples.told) if told is drawn.told[0])
    sigma = pipe.components.noise_schedule.sigma(float(drawn.t))

    # when
    error = float(noise_error(pipe.components, drawn).detach())
    ask = ask_network(pipe, {"cond": [CAPTIONS[number]]})
    seen = ask(add_noise(drawn.x0, drawn.eps, sigma), sigma)["cond"]

    # then
    assert error == pytest.approx(float((seen - drawn.eps).square().mean()), rel=1e-4)


def test_parts_of_a_step_add_up_to_its_loss(pipe, examples):
    # given
    parts = small_unet(pipe)

    # when
    whole, split = (
        [float(part().detach()) for part in noise_loss(parts, examples, batch=6, parts=n)(4, 0.0)]
        for n in (1, 3)
    )

    # then
    assert (len(whole), len(split)) == (1, 3)
    assert sum(split) == pytest.approx(whole[0], rel=1e-4)


def test_training_makes_the_error_fall_and_its_pipeline_draws_with_what_was_learned(pipe, examples):
    # given
    parts = small_unet(pipe)
    state = TrainState.begin(parts.unet)
    own = with_unet(pipe, state.average)
    plan = TrainPlan(clock=by_steps(25), peak_lr=1e-2, warmup=5)

    def drawn():
        fields = {"seed": 1, "steps": 2, "width": 32, "height": 32}
        return own.run("a red circle", **fields).latents

    (asked,) = noise_loss(parts, examples, batch=32)(0, 0.0)
    before, error = drawn(), float(asked().detach())

    # when
    for _ in train(state, noise_loss(parts, examples, batch=4), plan):
        pass

    # then
    assert float(asked().detach()) < 0.9 * error
    assert not torch.equal(drawn(), before)
    assert torch.equal(drawn(), drawn())
    assert pipe.components.unet is not own.components.unet


def test_a_result_of_a_network_in_training_names_no_checkpoint_of_another(pipe):
    own = with_unet(pipe, small_unet(pipe).unet)
    result = own.run("", seed=1, steps=1, width=32, height=32)
    assert result.request.checkpoint == "(in training)"
    assert own.components.sha256 == ""


def test_half_precision_is_refused(pipe, examples):
    halved = replace(pipe.components, unet=make_unet((16, 16)).half())
    with pytest.raises(InvalidField, match="float32"):
        noise_loss(halved, examples)
