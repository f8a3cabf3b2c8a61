import sys
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from sdnb.lora import Lora
from sdnb.pipeline import load
from sdnb.training.denoising import Examples, noise_loss, with_unet
from sdnb.training.evaluate import score_pictures, unseen_scenes
from sdnb.training.export import load_diffusion
from sdnb.training.loop import TrainPlan, TrainState, by_steps, train
from sdnb.training.lora import (
    AdaptedDiffusion,
    StyleRecipe,
    adapt,
    begin_style,
    draw_prompts,
    ink,
    main,
    measure_style,
    save_lora,
    save_style,
    train_style,
)
from sdnb.training.world import draw, sample_pair, sample_single

PROMPT = "a red circle on a meadow"


@pytest.fixture
def recipe(made, tmp_path):
    """A few steps on a tiny model, not one of a few seconds."""
    return StyleRecipe(
        out=tmp_path / "ink.safetensors", model=made[1], budget=0.02, scenes=8, batch=4, lr=1e-2
    )


def drawn(pipe, *loras):
    return pipe.run(PROMPT, seed=1, steps=2, loras=loras).latents


def test_the_style_is_the_worlds_own_and_leaves_things_where_they_are():
    # given
    scenes = unseen_scenes(sample_single, 20, 1) + unseen_scenes(sample_pair, 20, 1)

    # when
    plain, styled = ([draw(each).picture for each in some] for some in (scenes, map(ink, scenes)))
    wanted = [ink(scene) for scene in scenes]

    # then
    assert score_pictures(styled, wanted).share(lambda verdict: verdict.colours) > 0.9
    assert score_pictures(plain, wanted).share(lambda verdict: verdict.colours) < 0.4
    assert all(np.array_equal(draw(scene).masks, draw(ink(scene)).masks) for scene in scenes)


def test_an_untrained_lora_changes_nothing(made, tmp_path):
    # given
    path = tmp_path / "new.safetensors"
    model = AdaptedDiffusion(load_diffusion(made[1]), 4)

    # when
    save_style(path, TrainState.begin(model))
    pipe = load(str(made[1]))

    # then
    assert torch.equal(drawn(pipe, Lora(str(path))), drawn(pipe))


def test_only_the_branches_learn(recipe):
    # given
    before = load_diffusion(recipe.model).unet.state_dict()
    model = AdaptedDiffusion(load_diffusion(recipe.model), recipe.rank)

    # when
    branches = {name for name, _ in model.named_parameters()}
    own = [p for p in model._base[0].parameters() if p.requires_grad]

    # then
    layers = [name for name, weight in before.items() if weight.dim() > 1]
    assert own == []
    assert len(branches) == 2 * len(layers)


def test_training_descends_the_loss_of_the_style(recipe):
    # given
    state, loss_of = begin_style(recipe)
    plan = TrainPlan(clock=by_steps(25), peak_lr=1e-2, warmup=5)

    # when
    events = list(train(state, lambda _step, progress: loss_of(0, progress), plan))

    # then
    assert events[-1].loss < 0.9 * events[0].loss


def test_the_file_draws_what_the_trained_branches_draw(recipe):
    # given
    model = AdaptedDiffusion(load_diffusion(recipe.model), recipe.rank)
    generator = torch.Generator().manual_seed(0)
    for branch in model.branches.values():
        weight = branch.up.weight
        weight.data = 0.05 * torch.randn(weight.shape, generator=generator)
    state = TrainState.begin(model)
    x, t = torch.randn(1, 4, 16, 16, generator=generator), torch.tensor([500])
    ids = torch.zeros(1, 77, dtype=torch.long)

    # when
    save_style(recipe.out, state)
    wanted, _ = state.average(x, t, ids)
    pipe = load(str(recipe.model))
    adapters = pipe.components.adapters
    embeds = pipe.components.texts[0].network(ids).last_hidden_state
    with adapters.in_unet(adapters.resolved([Lora(str(recipe.out))])):
        worn = pipe.components.unet(x, t, embeds).sample
    bare = pipe.components.unet(x, t, embeds).sample

    # then
    torch.testing.assert_close(worn, wanted, atol=5e-3, rtol=0)  # the file is half precise
    assert (bare - wanted).abs().max() > 0.05


def test_the_average_learns_by_branches_of_its_own(recipe):
    # given
    state = TrainState.begin(AdaptedDiffusion(load_diffusion(recipe.model), recipe.rank))
    x, t = torch.randn(1, 4, 16, 16), torch.tensor([500])
    ids = torch.zeros(1, 77, dtype=torch.long)
    before, _ = state.average(x, t, ids)

    # when
    for branch in state.model.branches.values():
        torch.nn.init.ones_(branch.up.weight)

    # then
    assert torch.equal(state.average(x, t, ids)[0], before)
    assert not torch.equal(state.model(x, t, ids)[0], before)


def test_a_checkpoint_wears_what_a_copy_of_its_unet_learned_from_a_picture(recipe):
    # given
    pipe = load(str(recipe.model))
    examples = Examples.of(pipe, [Image.new("RGB", (32, 32), "black")], [PROMPT])
    before = drawn(pipe)
    parts, branches = adapt(pipe.components, rank=2)
    state = TrainState.begin(branches)
    plan = TrainPlan(clock=by_steps(30), peak_lr=1e-2, warmup=5)

    # when
    events = list(train(state, noise_loss(parts, examples, batch=4), plan))
    save_lora(recipe.out, state.model, steps=state.step)

    # then
    assert sum(e.loss for e in events[-8:]) < 0.9 * sum(e.loss for e in events[:8])
    assert torch.equal(drawn(pipe), before)
    worn = drawn(pipe, Lora(str(recipe.out)))
    own = drawn(with_unet(pipe, parts.unet))
    assert (worn - before).abs().max() > 0.01
    torch.testing.assert_close(worn, own, atol=2e-2, rtol=0)  # the file is half precise


def test_a_style_is_measured_on_what_is_drawn_with_it(recipe):
    # given
    list(islice(train_style(recipe), 1))
    state = TrainState.begin(AdaptedDiffusion(load_diffusion(recipe.model), recipe.rank))
    save_style(recipe.out, state)
    pipe, loras = load(str(recipe.model)), [Lora(str(recipe.out))]

    # when
    shares = measure_style(pipe, loras, 2)
    together = draw_prompts(pipe, [PROMPT, "a blue cat"], loras)
    alone = pipe.run("a blue cat", seed=1001, loras=tuple(loras)).images[0]

    # then
    assert shares.keys() == {"style", "background", "count", "kinds", "colours", "relation"}
    assert np.abs(together[1].astype(int) - np.asarray(alone)).max() <= 1


def test_the_command_writes_the_file_and_says_what_it_does(recipe, monkeypatch, capsys):
    # given
    flags = f"--out {recipe.out} --model {recipe.model} --budget 0.01 --scenes 8 --count 1"
    monkeypatch.setattr(sys, "argv", ["sdnb.training.lora", *flags.split()])

    # when
    main()

    # then
    said = capsys.readouterr().out
    assert "without: {'style': " in said and "with it: {'style': " in said
    with safe_open(recipe.out, "pt") as file:
        assert file.metadata()["ss_output_name"] == "ink"
        assert file.get_tensor("lora_unet_conv_in.lora_down.weight").shape[0] == 8
