import sys
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from sdnb.control import Control
from sdnb.pipeline import load
from sdnb.training.control import (
    ControlRecipe,
    SteeredDiffusion,
    begin_control,
    main,
    save_control,
)
from sdnb.training.export import load_diffusion
from sdnb.training.loop import TrainPlan, TrainState, by_steps, train
from tests.models.controlnets import picture


@pytest.fixture
def recipe(made, tmp_path):
    """A few steps on a tiny model, not one of a few seconds."""
    return ControlRecipe(
        kind="depth",
        out=tmp_path / "depth.safetensors",
        model=made[1],
        budget=0.02,
        scenes=8,
        batch=4,
        lr=1e-2,
    )


@pytest.fixture
def asked():
    generator = torch.Generator().manual_seed(0)
    x, t = torch.randn(1, 4, 16, 16, generator=generator), torch.tensor([500])
    return x, t, torch.zeros(1, 77, dtype=torch.long), torch.rand(1, 3, 128, 128)


def test_an_untrained_controlnet_changes_nothing(recipe):
    # given
    state = TrainState.begin(SteeredDiffusion(load_diffusion(recipe.model)))
    save_control(recipe.out, state, "depth")
    pipe, control = load(str(recipe.model)), Control(picture=picture(), reference=str(recipe.out))

    # when
    bare, steered = (
        pipe.run("a cat", seed=1, steps=2, controls=each).latents for each in ((), (control,))
    )

    # then
    assert torch.equal(steered, bare)


def test_only_the_controlnet_learns(recipe):
    # given
    model = SteeredDiffusion(load_diffusion(recipe.model))

    # when
    learning = {name.partition(".")[0] for name, _ in model.named_parameters()}
    own = [weight for weight in model._base[0].parameters() if weight.requires_grad]

    # then
    assert learning == {"controlnet"}
    assert own == []


def test_training_goes_on_from_what_was_saved_of_another_kind(recipe, asked):
    # given
    before = SteeredDiffusion(load_diffusion(recipe.model))
    torch.nn.init.normal_(before.controlnet.controlnet_mid_block.weight, std=0.3)
    save_control(recipe.out, TrainState.begin(before), "edge")

    # when
    state, _ = begin_control(replace(recipe, start=recipe.out))

    # then
    torch.testing.assert_close(state.average(*asked)[0], before(*asked)[0], atol=5e-3, rtol=0)


def test_training_descends_the_loss_of_what_is_seen(recipe):
    # given
    state, loss_of = begin_control(recipe)
    plan = TrainPlan(clock=by_steps(25), peak_lr=1e-2, warmup=5)

    # when
    events = list(train(state, lambda _step, progress: loss_of(0, progress), plan))

    # then
    assert events[-1].loss < 0.9 * events[0].loss


def test_the_average_learns_by_a_controlnet_of_its_own(recipe, asked):
    # given
    state = TrainState.begin(SteeredDiffusion(load_diffusion(recipe.model)))
    before, _ = state.average(*asked)

    # when
    torch.nn.init.ones_(state.model.controlnet.controlnet_mid_block.weight)

    # then
    assert torch.equal(state.average(*asked)[0], before)
    assert not torch.equal(state.model(*asked)[0], before)


def test_the_file_steers_as_the_trained_controlnet_does(recipe, asked):
    # given
    model = SteeredDiffusion(load_diffusion(recipe.model))
    torch.nn.init.normal_(model.controlnet.controlnet_mid_block.weight, std=0.3)
    x, t, ids, _ = asked
    shown = picture(side=128)
    seen = torch.tensor(list(shown.open().tobytes())).reshape(1, 128, 128, 3).permute(0, 3, 1, 2)

    # when
    save_control(recipe.out, TrainState.begin(model), "depth")
    wanted, _ = model(x, t, ids, seen / 255)
    parts = load(str(recipe.model)).components
    embeds = parts.texts[0].network(ids).last_hidden_state
    controls = parts.controlnets.resolved([Control(picture=shown, reference=str(recipe.out))])
    told = {"encoder_hidden_states": embeds}
    steering = parts.controlnets.residuals(controls, x, t.float(), told)
    steered = parts.unet(x, t, **told, **steering).sample
    bare = parts.unet(x, t, **told).sample

    # then
    torch.testing.assert_close(steered, wanted, atol=5e-3, rtol=0)  # the file is half precise
    assert (bare - wanted).abs().max() > 0.05


@pytest.mark.parametrize("kind", ["depth", "edge"])
def test_the_command_writes_the_file_and_says_how_well_is_kept_to(
    recipe, monkeypatch, capsys, kind
):
    # given
    flags = f"{kind} --out {recipe.out} --model {recipe.model} --budget 0.01 --scenes 8 --count 1"
    monkeypatch.setattr(sys, "argv", ["sdnb.training.control", *flags.split()])

    # when
    main()

    # then
    said = capsys.readouterr().out
    assert "without: {'iou': " in said
    assert "with it: {'iou': " in said
    with safe_open(recipe.out, "pt") as file:
        assert file.metadata()["kind"] == kind
