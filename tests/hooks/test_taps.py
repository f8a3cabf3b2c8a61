"""Ready-made taps do what their papers say."""

import pytest
import torch

from sdnb.errors import InvalidField, UnknownName
from sdnb.hooks.activation_patching import Activations
from sdnb.hooks.freeu import freeu
from sdnb.hooks.perturbed_attention import perturbed_attention

PROMPT = "a large blue house on a meadow"
SHORT = {"seed": 9, "steps": 3}


def test_freeu_equals_the_one_of_diffusers(tiny):
    # given
    unet, factors = tiny.components.unet, {"s1": 0.8, "s2": 0.3, "b1": 1.3, "b2": 1.4}
    unet.enable_freeu(**factors)
    theirs = tiny.run(PROMPT, **SHORT)
    unet.disable_freeu()

    # when
    ours = tiny.run(PROMPT, hooks=freeu(tiny, **factors), **SHORT)

    # then
    assert torch.allclose(ours.latents, theirs.latents, atol=1e-4)
    assert not torch.allclose(ours.latents, tiny.run(PROMPT, **SHORT).latents, atol=1e-2)


def test_freeu_with_factors_of_one_changes_nothing(tiny):
    ones = {"s1": 1.0, "s2": 1.0, "b1": 1.0, "b2": 1.0}
    result = tiny.run(PROMPT, hooks=freeu(tiny, **ones), **SHORT)
    assert torch.allclose(result.latents, tiny.run(PROMPT, **SHORT).latents, atol=1e-4)


def test_perturbed_attention_moves_away_from_its_branch(tiny):
    # given
    events = []
    plain = tiny.run(PROMPT, **SHORT)

    # when
    hooks = perturbed_attention(tiny, scale=2.0)
    run = tiny.start(PROMPT, hooks=hooks, **SHORT)
    events = [event for event in run if type(event).__name__ == "DenoiseEvent"]

    # then
    first, last = events[0], events[-1]
    assert torch.allclose(first.eps["cond"], plain.trace.evaluations[0].eps["cond"], atol=1e-4)
    assert not torch.allclose(last.eps["cond"], last.eps["perturbed"], atol=1e-3)
    away = first.sigma * 2.0 * (first.eps["cond"] - first.eps["perturbed"])
    assert torch.allclose(
        first.denoised, plain.trace.evaluations[0].denoised - away, atol=1e-3, rtol=1e-3
    )


def test_perturbed_attention_of_scale_zero_changes_nothing(tiny):
    result = tiny.run(PROMPT, hooks=perturbed_attention(tiny, scale=0.0), **SHORT)
    assert torch.allclose(result.latents, tiny.run(PROMPT, **SHORT).latents, atol=1e-3)


def test_patching_all_that_text_reaches_draws_the_other_prompt(tiny):
    # given: what comes out at the end of the U-Net decides everything
    other = "a small red cat at night"
    kept = Activations("conv_out")
    source = tiny.run(other, cfg_scale=1.0, hooks=kept.record(), **SHORT)

    # when
    patched = tiny.run(PROMPT, cfg_scale=1.0, hooks=kept.patch(), **SHORT)

    # then
    assert torch.equal(patched.latents, source.latents)


def test_patching_part_of_the_network_gives_neither_prompt_s_picture(tiny):
    kept = Activations("up_blocks.0")
    source = tiny.run("a small red cat at night", hooks=kept.record(), **SHORT).latents
    plain = tiny.run(PROMPT, **SHORT).latents
    patched = tiny.run(PROMPT, hooks=kept.patch(), **SHORT).latents

    apart = (source - plain).norm()
    assert (patched - plain).norm() > 0.01 * apart
    assert (patched - source).norm() > 0.01 * apart


def test_what_was_recorded_is_forgotten_when_another_run_begins(tiny):
    kept = Activations("mid_block")
    tiny.run(PROMPT, hooks=kept.record(), seed=9, steps=3)
    tiny.run(PROMPT, hooks=kept.record(), seed=9, steps=1)

    assert {evaluation for evaluation, _ in kept.seen} == {0}


def test_a_layer_that_is_not_there_is_not_perturbed_in_silence(tiny):
    with pytest.raises(UnknownName, match="mid_block"):
        perturbed_attention(tiny, layer="middle")


def test_there_is_nothing_to_patch_before_a_recorded_run():
    with pytest.raises(InvalidField, match="nothing to patch"):
        Activations("mid_block").patch()
