"""LoRAs change what the networks answer, and leave no trace in them."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import sdnb.models.lora
from sdnb.errors import LoadError
from sdnb.events import Hooks
from sdnb.lockstep import lockstep
from sdnb.lora import Lora
from sdnb.models.denoiser import Denoiser, Question
from sdnb.models.lora import Adapters
from sdnb.models.networks import Networks
from sdnb.models.text import encode_text
from tests.models.lora_files import (
    ALPHA,
    PROMPT,
    RANK,
    assert_untouched,
    draw,
    kohya,
    older_diffusers,
    peft,
    weights_of,
)


def test_a_lora_changes_the_picture_and_leaves_no_trace(tiny, networks, lora):
    # given
    before, bare = weights_of(networks), draw(tiny)

    # when
    worn, after = draw(tiny, lora), draw(tiny)

    # then
    assert (worn - bare).abs().max() > 0.1
    assert torch.equal(after, bare)
    assert_untouched(networks, before)


def test_between_two_events_the_networks_wear_nothing(tiny, networks, lora):
    # given
    before, bare = weights_of(networks), draw(tiny)
    run = tiny.start(PROMPT, seed=3, steps=3, width=64, height=64, loras=(lora,))

    # when, then
    for number, _event in enumerate(run):
        assert_untouched(networks, before)
        if number == 6:
            assert torch.equal(draw(tiny), bare)
    assert torch.equal(run.finish().latents, draw(tiny, lora))


def test_a_hook_that_fails_leaves_no_trace_of_a_lora(tiny, networks, lora):
    # given
    before = weights_of(networks)

    def fail(_event):
        raise ValueError("on purpose")

    # when
    with pytest.raises(sdnb.SdnbError):
        draw(tiny, lora, hooks=Hooks.at("module.mid_block", fail))

    # then
    assert_untouched(networks, before)


def test_an_interrupt_while_a_lora_is_taken_off_leaves_no_trace_of_it(
    tiny, networks, lora, monkeypatch
):
    # given
    before, adapters = weights_of(networks), tiny.components.adapters
    loras, wear = adapters.resolved([Lora(lora)]), sdnb.models.lora._Layer.wear
    left = []

    def interrupted(layer, weight):
        if weight is layer.own:
            left.append(layer)
            if len(left) == 3:
                raise KeyboardInterrupt
        wear(layer, weight)

    # when
    monkeypatch.setattr(sdnb.models.lora._Layer, "wear", interrupted)
    with pytest.raises(KeyboardInterrupt), adapters.in_unet(loras):
        pass

    # then
    assert_untouched(networks, before)


def test_a_weight_of_zero_is_no_lora_at_all(tiny, lora):
    assert torch.equal(draw(tiny, f"{lora}:0"), draw(tiny))


@pytest.mark.parametrize("layout", [peft, older_diffusers])
def test_all_layouts_of_a_lora_draw_the_same(tiny, adapted, tmp_path, lora, layout):
    # given
    save_file(layout(adapted(0)), tmp_path / "other.safetensors")

    # when
    ours, other = draw(tiny, lora), draw(tiny, f"{tmp_path}/other.safetensors")

    # then
    torch.testing.assert_close(other, ours, atol=1e-4, rtol=0)


def test_two_loras_add_up_with_their_weights(tiny, networks, adapted, tmp_path):
    # given
    for number in (0, 1):
        save_file(kohya(adapted(number)), tmp_path / f"{number}.safetensors")
    both = {
        layer: (torch.cat([down, other[0]]), torch.cat([0.5 * up, -0.25 * other[1]], 1) * 2)
        for (layer, (down, up)), other in zip(adapted(0).items(), adapted(1).values(), strict=True)
    }
    save_file(kohya(both), tmp_path / "both.safetensors")  # of twice the rank, at one alpha

    # when
    apart = draw(tiny, f"{tmp_path}/0.safetensors:0.5", f"{tmp_path}/1.safetensors:-0.25")
    summed = draw(tiny, f"{tmp_path}/both.safetensors")

    # then
    torch.testing.assert_close(apart, summed, atol=1e-4, rtol=0)


def test_text_and_network_take_as_much_as_they_are_told(tiny, adapted, tmp_path, lora):
    # given
    for name, network in (("text", "text_encoder"), ("network", "unet")):
        only = {layer: each for layer, each in adapted(0).items() if layer[0] == network}
        save_file(kohya(only), tmp_path / f"{name}.safetensors")

    # when
    text, network = (draw(tiny, f"{tmp_path}/{name}.safetensors") for name in ("text", "network"))

    # then
    assert torch.equal(draw(tiny, f"{lora}:0:1"), text)
    assert torch.equal(draw(tiny, f"{lora}:1:0"), network)
    assert not torch.equal(text, draw(tiny))


def test_lanes_with_other_loras_draw_as_they_would_alone(tiny, adapted, tmp_path, lora):
    # given
    save_file(kohya(adapted(1)), tmp_path / "other.safetensors")
    fields = {"seed": 3, "steps": 3, "width": 64, "height": 64}
    wishes = [(), (lora,), (f"{lora}:0.5",), (lora, f"{tmp_path}/other.safetensors:-0.5"), (lora,)]
    runs = [tiny.start(PROMPT, **fields, loras=loras) for loras in wishes]

    # when
    for each in lockstep(Networks(Denoiser(tiny.components)), runs):
        assert not each.failed

    # then
    for run, loras in zip(runs, wishes, strict=True):
        torch.testing.assert_close(run.finish().latents, draw(tiny, *loras), atol=1e-4, rtol=0)


def test_questions_with_other_loras_do_not_share_a_call(tiny, lora):
    # given
    loras = tiny.components.adapters.resolved([Lora(lora)])
    cond = encode_text(tiny.components, [PROMPT])
    bare = Question(torch.ones(1, 4, 8, 8), 1.0, 500.0, {"cond": cond})
    worn, denoiser = replace(bare, loras=loras), Denoiser(tiny.components)

    # when
    together = denoiser([bare, worn])
    alone = [denoiser([bare])[0], denoiser([worn])[0]]

    # then
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one["cond"], other["cond"])


def test_gradients_flow_through_the_network_that_answered(tiny, lora, networks):
    # given
    slopes = []

    def slope(event):
        x = event.x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(event.denoise(x).square().sum(), x)
        slopes.append(gradient)

    hooks = Hooks(on_model=(slope,))
    draw(tiny, lora, hooks=hooks)
    adapters = tiny.components.adapters
    (resolved,) = adapters.resolved([Lora(lora)])

    # when
    with adapters.in_unet((resolved,)):  # all the time, not for each call
        draw(tiny, replace(resolved, weight=0.0, text_weight=1.0), hooks=hooks)

    # then
    half = len(slopes) // 2
    assert half == 3
    for one, other in zip(slopes[:half], slopes[half:], strict=True):
        torch.testing.assert_close(one, other)


def test_a_network_that_was_written_to_is_merged_again(tiny, lora, networks):
    # given
    weight = networks["unet"].conv_in.weight
    before = draw(tiny, lora)

    # when
    with torch.no_grad():
        own = weight.clone()
        weight.mul_(1.5)
        changed = draw(tiny, lora)
        weight.copy_(own)

    # then
    assert not torch.equal(changed, before)
    assert torch.equal(draw(tiny, lora), before)


def test_half_precision_is_merged_in_full_and_rounded_once(networks, lora):
    # given
    layer = nn.Module()
    layer.conv_in = nn.Conv2d(4, 64, 3, dtype=torch.float16).to(memory_format=torch.channels_last)
    half = {"unet": HalfUNet(layer.conv_in)}
    (down, up) = torch.randn(RANK, 4, 3, 3), torch.randn(64, RANK, 1, 1)
    path = lora.replace("style", "half")
    save_file(kohya({("unet", "conv_in"): (down, up)}), path)
    adapters, own = Adapters(half), layer.conv_in.weight
    wanted = own.float() + 0.7 * ALPHA / RANK * torch.einsum("orxy,rijk->oijk", up, down)

    # when
    with adapters.in_unet(adapters.resolved([Lora(path, 0.7)])):
        merged = layer.conv_in.weight

    # then
    assert merged.dtype == torch.float16
    assert merged.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(merged, wanted.half(), atol=1e-3, rtol=1e-3)
    assert layer.conv_in.weight is own


class HalfUNet(nn.Module):
    """One layer with the shape of a U-Net around it."""

    def __init__(self, conv_in):
        super().__init__()
        self.conv_in = conv_in
        self.down_blocks = self.up_blocks = ()


def test_the_result_records_which_file_it_was(tiny, adapted, tmp_path, lora):
    # given
    result = tiny.run(PROMPT, seed=3, steps=1, width=64, height=64, loras=f"{lora}:0.8")
    (recorded,) = result.request.loras

    # when
    again = tiny.run(result.request)
    save_file(kohya(adapted(1)), lora)

    # then
    assert len(recorded.sha256) == 64
    assert torch.equal(again.latents, result.latents)
    with pytest.raises(LoadError, match="another file"):
        tiny.run(result.request)


def test_more_loras_than_are_kept_are_read_again(tiny, adapted, tmp_path, monkeypatch):
    # given
    monkeypatch.setattr(sdnb.models.lora, "FILES", 1)
    for number in (0, 1):
        save_file(kohya(adapted(number)), tmp_path / f"{number}.safetensors")
    both = [f"{tmp_path}/{number}.safetensors" for number in (0, 1)]
    adapters = Adapters(
        {"unet": tiny.components.unet, "text_encoder": tiny.components.texts[0].network}
    )

    # when: two requests name one each
    loras = [*adapters.resolved([Lora(both[0])]), *adapters.resolved([Lora(both[1])])]
    Path(both[0]).unlink()

    # then
    with adapters.in_unet(loras[1:]):
        pass
    with pytest.raises(LoadError, match="no LoRA of this name"), adapters.in_unet(loras[:1]):
        pass


def test_a_branch_may_change_the_lora(tiny, lora):
    # given
    result = tiny.run(PROMPT, seed=3, steps=3, width=64, height=64, loras=lora)

    # when
    same, other = tiny.branch(result, 1).finish(), tiny.branch(result, 1, loras=()).finish()

    # then
    assert torch.equal(same.latents, result.latents)
    assert not torch.equal(other.latents, result.latents)


def test_merged_weights_go_with_the_last_run_that_wears_them(tiny, lora):
    # given
    adapters = tiny.components.adapters
    fields = {"seed": 3, "steps": 2, "width": 64, "height": 64, "loras": (lora,)}

    # when
    runs = [tiny.start(PROMPT, **fields) for _ in range(4)]
    kept = []
    for run in runs:
        run.step()
    runs[0].finish()
    kept.append(bool(adapters._merged))
    runs[1].cancel()
    runs[1].finish()
    kept.append(bool(adapters._merged))
    run = None
    runs[2:3] = []
    gc.collect()
    kept.append(bool(adapters._merged))
    runs[-1].finish()

    # then
    assert kept == [True] * 3
    assert not adapters._merged
    assert not adapters._wearers


def test_a_run_that_fails_lets_go_of_merged_weights(tiny, lora):
    def fail(_event):
        raise ValueError("on purpose")

    with pytest.raises(sdnb.SdnbError):
        draw(tiny, lora, hooks=Hooks(on_step=(fail,)))
    assert not tiny.components.adapters._merged
