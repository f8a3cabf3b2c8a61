"""Each text goes through the text encoders once, as long as they would answer the same."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import sdnb.models.encoded
import sdnb.models.networks
from sdnb.errors import HookError
from sdnb.events import Hooks
from sdnb.pipeline import Pipeline

PROMPT = "a red circle on a meadow"


@pytest.fixture
def asked(monkeypatch):
    """Write down which texts the encoders were asked."""
    texts, encode = [], sdnb.models.networks.encode_text

    def noted(components, prompts, *options):
        texts.extend(prompts)
        return encode(components, prompts, *options)

    monkeypatch.setattr(sdnb.models.networks, "encode_text", noted)
    return texts


@pytest.fixture
def fresh(tiny):
    """Give a pipeline of the same networks that was asked nothing yet."""
    return Pipeline(replace(tiny.components))


def draw(tiny, prompt=PROMPT, **fields):
    asked = {"seed": 3, "steps": 1, "width": 64, "height": 64, "cfg_scale": 1.0}
    return tiny.run(prompt, **{**asked, **fields})


def test_a_text_is_encoded_once_for_all_runs_and_sizes_of_batches(fresh, asked):
    results = [draw(fresh, cfg_scale=4.0), draw(fresh, batch_size=2, steps=2), draw(fresh, seed=4)]
    assert asked == ["", PROMPT]
    assert torch.equal(draw(fresh, cfg_scale=4.0).latents, results[0].latents)


def test_a_comparison_encodes_each_text_once(fresh, asked):
    sdnb.compare(fresh, PROMPT, seed=[1, 2, 3], steps=1, width=64, height=64)
    assert sorted(asked) == ["", PROMPT]


def test_what_decides_the_vectors_is_asked_apart(fresh, asked, lora, tmp_path):
    # given
    ways = [
        {},
        {"clip_skip": 1},
        {"syntax": "a1111"},
        {"loras": (lora,)},
        {"loras": (f"{lora}:1:0.5",)},
    ]

    # when
    results = [draw(fresh, "a (red) circle", **way).latents for way in ways * 2]

    # then
    assert len(asked) == len(ways)
    for first, again in zip(results, results[len(ways) :], strict=False):
        assert torch.equal(first, again)
    assert not any(torch.equal(results[0], other) for other in results[1 : len(ways)])


def test_a_lora_that_the_text_encoders_do_not_wear_changes_nothing(fresh, asked, lora):
    draw(fresh)
    draw(fresh, loras=(f"{lora}:0.5:0",))
    assert asked == [PROMPT]


def test_another_file_of_an_embedding_is_another_text(fresh, asked, tmp_path):
    # given
    path = tmp_path / "style.safetensors"
    width = fresh.components.texts[0].network.config.hidden_size
    drawn = []

    # when
    for number in range(2):
        save_file({"emb_params": torch.full((1, width), number / 10)}, path)
        drawn += [draw(fresh, f"a embedding:{path}").latents for _ in range(2)]

    # then
    assert len(asked) == 2
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_a_weight_that_was_written_to_is_asked_anew(fresh, asked):
    # given
    weight = fresh.components.texts[0].network.get_input_embeddings().weight
    before = draw(fresh).latents

    # when
    with torch.no_grad():
        own = weight.clone()
        weight.mul_(1.5)
        changed = draw(fresh).latents
        weight.copy_(own)

    # then
    assert not torch.equal(changed, before)
    assert torch.equal(draw(fresh).latents, before)
    assert len(asked) == 3


def test_texts_can_be_forgotten_after_a_write_that_pytorch_does_not_count(fresh, asked):
    # given
    weight = fresh.components.texts[0].network.get_input_embeddings().weight
    before, own = draw(fresh).latents, weight.detach().clone()

    # when
    try:
        weight.data.mul_(1.5)
        fresh.components.encoded.clear()
        changed = draw(fresh).latents
    finally:
        weight.data.copy_(own)
        fresh.components.encoded.clear()

    # then
    assert not torch.equal(changed, before)
    assert torch.equal(draw(fresh).latents, before)


def test_swapped_encoders_are_asked_themselves(fresh, asked):
    draw(fresh)
    draw(fresh.swapped(text_encoders="tiny"))
    assert asked == [PROMPT, PROMPT]


def test_hooks_in_an_encoder_are_called_each_time(fresh, asked):
    # given
    calls = []
    network = fresh.components.texts[0].network
    draw(fresh)

    # when
    with network.register_forward_hook(lambda *_: calls.append(1)):
        draw(fresh)
        draw(fresh)

    # then
    assert len(calls) == 2


def test_a_hook_that_writes_into_its_vectors_leaves_those_of_others(fresh, asked):
    # given
    before = draw(fresh).latents

    def spoil(event):
        event.embeds.zero_()

    # when
    with pytest.raises(HookError, match="in place"):
        draw(fresh, hooks=Hooks(on_text=(spoil,)))

    # then
    assert torch.equal(draw(fresh).latents, before)
    assert asked == [PROMPT]


def test_no_more_is_kept_than_the_budget(fresh, asked, monkeypatch):
    # given
    chunk = 77 * fresh.components.unet.config.cross_attention_dim * 4
    monkeypatch.setattr(sdnb.models.encoded, "BUDGET", 2.5 * chunk)

    # when
    for prompt in ("a", "b", "a", "c", "a", "b"):
        draw(fresh, prompt)

    # then: b made room for c, the oldest then
    assert asked == ["a", "b", "c", "b"]
