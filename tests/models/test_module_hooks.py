"""Taps see and replace what happens inside the network, and leave it as it was."""

import pytest
import torch

import sdnb
from sdnb.errors import HookError, InvalidField, UnknownName
from sdnb.events import During, Hooks
from sdnb.hook_use import HookUse
from sdnb.request import GenerationRequest

PROMPT = "a large blue house on a meadow"
SHORT = {"seed": 9, "steps": 3}


@pytest.fixture(scope="module")
def plain(tiny):
    return tiny.run(PROMPT, **SHORT)


def test_a_tap_that_only_looks_sees_every_evaluation_and_changes_nothing(tiny, plain):
    unet, events = tiny.components.unet, []
    result = tiny.run(PROMPT, hooks=sdnb.on_module("mid_block", events.append), **SHORT)

    assert torch.equal(result.latents, plain.latents)
    assert [event.index for event in events] == [0, 1, 2]
    assert events[0].activation.shape == (2, unet.config.block_out_channels[-1], 4, 4)
    assert events[0].rows == {"uncond": slice(0, 1), "cond": slice(1, 2)}
    assert events[0].module is unet.mid_block


def test_what_goes_in_is_what_the_module_before_gave(tiny):
    seen = {}

    def see(event):
        seen.setdefault(event.path, event)

    hooks = Hooks()
    for path in ("down_blocks.2", "mid_block.input", "mid_block"):
        hooks += sdnb.on_module(path, see)
    tiny.run(PROMPT, hooks=hooks, **SHORT)

    assert torch.equal(seen["mid_block.input"].activation, seen["down_blocks.2"].activation)
    assert torch.equal(seen["mid_block"].inputs, seen["down_blocks.2"].activation)


def test_an_activation_that_is_replaced_is_what_the_network_goes_on_with(tiny, plain):
    def silence(event):
        return torch.zeros_like(event.activation)

    seen = []
    hooks = sdnb.on_module("mid_block", During(silence, first=1))
    hooks += sdnb.on_module("mid_block", lambda event: seen.append(event.activation.abs().max()))
    result = tiny.run(PROMPT, hooks=hooks, **SHORT)

    assert [float(value) > 0 for value in seen] == [True, False, False]
    assert torch.equal(result.trace.x[1], plain.trace.x[1])
    assert not torch.equal(result.trace.x[2], plain.trace.x[2])


def test_a_replaced_input_equals_a_replaced_output_before_it(tiny):
    def double(event):
        return 2 * event.activation

    into, out = (
        tiny.run(PROMPT, hooks=sdnb.on_module(path, double), **SHORT).latents
        for path in ("mid_block.resnets.1.input", "mid_block.attentions.0")
    )
    assert torch.equal(into, out)


def test_an_unknown_module_is_refused_before_the_run(tiny):
    with pytest.raises(UnknownName) as error:
        tiny.start(PROMPT, hooks=sdnb.on_module("up_blocks.9", print))
    assert error.value.allowed == "up_blocks.0, up_blocks.1, up_blocks.2"
    assert "up_blocks.2" in error.value.fix


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (lambda event: event.activation[:1], "does not fit"),
        (lambda event: event.activation * float("nan"), "NaN"),
        (lambda event: event.activation.mul_(2), "in place"),
        (lambda _event: "more", "cannot be activation"),
    ],
)
def test_a_reply_that_does_not_fit_names_module_and_step(tiny, reply, said):
    hooks = sdnb.on_module("mid_block", During(reply, first=2))
    with pytest.raises(HookError, match=said) as error:
        tiny.run(PROMPT, hooks=hooks, **SHORT)
    assert "ModuleEvent of mid_block, step 2" in str(error.value)


def test_gradients_go_through_a_tap(tiny):
    slopes = []

    def ask(event):
        x = event.x.detach().requires_grad_()
        slopes.append(torch.autograd.grad(event.denoise(x).sum(), x)[0])

    def run(share):
        hooks = sdnb.on_module("mid_block", lambda event: share * event.activation)
        tiny.run(PROMPT, hooks=hooks + Hooks(on_denoise=(ask,)), seed=9, steps=1)

    run(1.0)
    run(0.0)
    assert float(slopes[0].abs().sum()) > 0
    assert not torch.equal(slopes[0], slopes[1])


def test_taps_are_written_like_other_hooks():
    use = HookUse.parse("module.mid_block.attentions.0:my_function@3-7")

    assert (use.point, use.first, use.last) == ("module.mid_block.attentions.0", 3, 7)
    request = GenerationRequest(hooks=(use,))
    assert GenerationRequest.from_json(request.to_json()) == request


def test_a_run_records_its_taps(tiny):
    def my_tap(_event):
        return None

    hooks = sdnb.on_module("mid_block", During(my_tap, 1, 2))
    request = tiny.start(PROMPT, hooks=hooks, **SHORT).request
    assert [str(use) for use in request.hooks] == ["module.mid_block:my_tap@1-2"]


def test_hooks_take_taps_only_from_on_module():
    with pytest.raises(InvalidField, match="tuple of taps"):
        Hooks(on_module=(print,))
