"""Attention is what the layers compute, and looking at it changes nothing."""

import pickle
from dataclasses import replace
from functools import partial

import pytest
import torch

import sdnb
from sdnb.errors import HookError, InvalidField, UnknownName
from sdnb.events import During, Hooks
from sdnb.hooks.guidance_interval import guidance_interval
from sdnb.hooks.swap_prompt import swap_prompt
from sdnb.models.attention import AttentionRecorder, cross_attention_layers
from sdnb.models.denoiser import Denoiser, Question
from sdnb.models.text import encode_text
from sdnb.registry import SAMPLERS

PROMPT = "a large blue house on a meadow"
SHORT = {"seed": 9, "steps": 4}


@pytest.fixture(scope="module")
def seen(pipe):
    return pipe.run(PROMPT, attention=True, **SHORT)


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_looking_at_attention_leaves_the_picture_as_it_is(pipe, sampler):
    plain, watched = (
        pipe.run(PROMPT, seed=9, steps=2, width=64, height=64, sampler=sampler, attention=attention)
        for attention in (False, True)
    )

    assert torch.equal(plain.latents, watched.latents)
    assert plain.attention is None
    assert watched.attention.words() == tuple(PROMPT.split())


def test_the_maps_are_the_shares_that_the_layers_own_processor_computes(tiny):
    # given
    unet, x = tiny.components.unet, torch.randn(2, 4, 16, 24, generator=torch.Generator())
    branches = {
        name: encode_text(tiny.components, [text] * 2) for name, text in (("cond", PROMPT),)
    }
    recorder, own = AttentionRecorder(), {}

    def explicit(path, layer, inputs, named, _output):
        heads = layer.heads
        q = layer.to_q(inputs[0]).unflatten(-1, (heads, -1)).transpose(1, 2)
        k = layer.to_k(named["encoder_hidden_states"]).unflatten(-1, (heads, -1)).transpose(1, 2)
        own[path] = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).mean(1).mT.detach()

    handles = [
        layer.register_forward_hook(partial(explicit, path), with_kwargs=True)
        for path, layer in cross_attention_layers(unet)
    ]

    # when
    Denoiser(tiny.components)(
        [Question(x, 3.0, 500.0, branches, watch=partial(recorder.watch, index=0))]
    )
    for handle in handles:
        handle.remove()
    attention = recorder.attention()

    # then
    kept = len(attention.tokens["cond"][0])
    for path, maps in attention.layers["cond"].items():
        assert maps.shape[-2:] in {(8, 12), (4, 6)}
        assert torch.allclose(maps.flatten(2), own[path][:, :kept], atol=1e-6)


def test_a_map_has_the_latents_size_and_reaches_one(seen):
    for chosen in ({"word": "house"}, {"token": 0}, {"token": -1}, {"word": "blue house"}):
        found = seen.attention.map(**chosen)

        assert found.shape == (16, 16)
        assert float(found.max()) == 1.0
        assert float(found.min()) >= 0.0


def test_maps_of_a_batch_belong_to_their_images(pipe):
    both = pipe.run(PROMPT, attention=True, batch_size=2, width=192, **SHORT)
    second = pipe.run(PROMPT, attention=True, seed=10, steps=4, width=192)

    found = both.attention.map("house", image=1)
    assert found.shape == (16, 24)
    assert torch.allclose(found, second.attention.map("house"), atol=1e-3)


def test_the_mean_of_all_steps_is_the_mean_of_the_steps(seen):
    attention = seen.attention
    shares = [maps[0, 4] for maps in attention.steps["cond"].values()]

    assert len(shares) == 4
    total = torch.stack(shares).mean(0)
    assert torch.allclose(attention.map("house"), total / total.max(), atol=1e-6)
    assert not torch.allclose(attention.map("house", step=0), attention.map("house", step=3))


def test_the_negative_prompt_has_maps_of_its_own(pipe):
    result = pipe.run(PROMPT, negative_prompt="night", attention=True, **SHORT)

    assert result.attention.words("uncond") == ("night",)
    assert result.attention.map("night", branch="uncond").shape == (16, 16)


def test_a_branch_that_is_not_asked_in_a_step_has_no_map_there(pipe):
    hooks = Hooks(on_model=(partial(guidance_interval, low=0.5, high=5.0),))
    attention = pipe.run(PROMPT, hooks=hooks, attention=True, **SHORT).attention

    assert set(attention.steps["uncond"]) < set(attention.steps["cond"])
    with pytest.raises(InvalidField, match="nothing was asked"):
        attention.map(token=0, branch="uncond", step=0)


def test_a_prompt_that_is_swapped_on_the_way_gets_a_name_of_its_own(pipe):
    hooks = Hooks(on_model=(swap_prompt(pipe, "a small red cat at night", at=2),))
    attention = pipe.run(PROMPT, hooks=hooks, attention=True, **SHORT).attention

    assert list(attention.steps["cond"]) == [0, 1]
    assert list(attention.steps["cond@2"]) == [2, 3]
    assert "cat" in attention.words("cond@2")


def test_what_is_not_there_is_answered_with_what_is(seen):
    attention = seen.attention
    with pytest.raises(UnknownName, match="house"):
        attention.map("hose")
    with pytest.raises(UnknownName, match="uncond"):
        attention.map("house", branch="negative")
    with pytest.raises(UnknownName, match="mid_block"):
        attention.map("house", layer="middle")
    with pytest.raises(InvalidField, match=r"0 … 3"):
        attention.map("house", step=4)
    with pytest.raises(InvalidField, match=r"-9 … 8"):
        attention.map(token=9)
    with pytest.raises(InvalidField, match=r"0 … 0"):
        attention.map("house", image=1)
    with pytest.raises(InvalidField, match="a word or of a text position"):
        attention.map("house", token=3)
    with pytest.raises(InvalidField, match="a step or a layer"):
        attention.map("house", step=1, layer="mid")


def test_a_branch_gathers_the_steps_that_it_makes_itself(pipe):
    parent = pipe.run(PROMPT, **SHORT)
    attention = pipe.branch(parent, step=2, attention=True).finish().attention

    assert list(attention.steps["cond"]) == [2, 3]


def test_an_error_on_the_way_leaves_no_hook_on_the_network(pipe):
    def fail(_event):
        raise ValueError("stop")

    hooks = sdnb.on_module("mid_block", During(fail, first=1))
    with pytest.raises(HookError, match="mid_block, step 1"):
        pipe.run(PROMPT, hooks=hooks, attention=True, **SHORT)

    modules = pipe.components.unet.modules()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_a_gradient_that_a_hook_asks_for_is_not_counted(pipe):
    hooks = Hooks(on_denoise=(lambda event: event.denoise(event.x).detach(),))
    asked, plain = (
        pipe.run(PROMPT, hooks=given, attention=True, seed=9, steps=1, cfg_scale=1.0)
        for given in (hooks, Hooks())
    )

    assert asked.evaluations == 2
    assert torch.equal(asked.attention.map("house"), plain.attention.map("house"))


def test_tapped_projections_are_what_is_seen(pipe):
    path = "mid_block.attentions.0.transformer_blocks.0.attn2.to_q"
    counted = []

    def flatten(event):
        counted.append(event.path)
        return torch.zeros_like(event.activation)

    hooks = sdnb.on_module(path, flatten)
    result = pipe.run(PROMPT, hooks=hooks, attention=True, seed=9, steps=2)

    assert len(counted) == 2
    assert torch.equal(result.latents, pipe.run(PROMPT, hooks=hooks, seed=9, steps=2).latents)
    (flat,) = (maps for name, maps in result.attention.layers["cond"].items() if "mid" in name)
    assert torch.allclose(flat, torch.tensor(1 / 77), atol=1e-6)


def test_images_with_prompts_of_their_own_have_words_of_their_own(pipe):
    def ask_others(event):
        cond = encode_text(pipe.components, ["a red cat", "a small blue fish at night"])
        return replace(event, branches={**event.branches, "cond": cond})

    hooks = Hooks(on_model=(ask_others,))
    run = pipe.run("", hooks=hooks, attention=True, batch_size=2, seed=9, steps=1)

    assert run.attention.words(image=1) == ("a", "small", "blue", "fish", "at", "night")
    assert run.attention.map("fish", image=1).shape == (16, 16)
    with pytest.raises(UnknownName, match="cat"):
        run.attention.map("fish", image=0)


def test_branches_whose_names_begin_alike_stay_apart(pipe):
    texts = {name: encode_text(pipe.components, [name]) for name in ("red", "blue")}

    def ask_two(event):
        cond = texts["red"] if event.index == 0 else texts["blue"]
        return replace(event, branches={"cond": cond, "cond_b": texts["blue"]})

    hooks = Hooks(on_model=(ask_two,))
    seen = pipe.run("red", hooks=hooks, attention=True, seed=9, steps=3).attention

    assert {name: list(steps) for name, steps in seen.steps.items()} == {
        "cond": [0],
        "cond_b": [0, 1, 2],
        "cond@1": [1, 2],
    }


def test_a_run_that_was_never_answered_has_no_attention(pipe):
    def stop(_event):
        raise KeyboardInterrupt

    run = pipe.start(PROMPT, hooks=sdnb.on_module("mid_block", stop), attention=True, **SHORT)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    run.cancel()
    assert run.finish().attention is None


def test_attention_travels_with_its_result(seen):
    again = pickle.loads(pickle.dumps(seen))
    assert torch.equal(again.attention.map("house"), seen.attention.map("house"))
