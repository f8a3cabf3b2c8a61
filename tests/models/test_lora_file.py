"""LoRA files: what they say is read, and what does not fit is refused by name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdnb.errors import LoadError
from sdnb.lora import Lora
from sdnb.models.lora_file import read_lora
from tests.models.lora_files import (
    RANK,
    assert_untouched,
    draw,
    kohya,
    older_diffusers,
    peft,
    weights_of,
)


def test_the_layers_of_an_older_file_need_no_network_before_them(networks, adapted, tmp_path):
    # given
    path = tmp_path / "unet.safetensors"
    factors = {layer: each for layer, each in adapted(0).items() if layer[0] == "unet"}
    save_file({k.removeprefix("unet."): v for k, v in older_diffusers(factors).items()}, path)

    # when, then
    assert read_lora(path, networks).keys() == factors.keys()


@pytest.mark.parametrize("name", ["conv_out", "^conv_out"])
def test_peft_writes_its_alpha_in_the_header(networks, adapted, tmp_path, name):
    # given
    layer = ("unet", "mid_block.attentions.0.proj_in")
    other = ("unet", "conv_out")
    pairs, width = adapted(0), networks["unet"].config.block_out_channels[-1]
    ones = torch.ones(4, width, 1, 1), torch.ones(width, 4, 1, 1)
    factors = {layer: ones, other: pairs[other]}
    settings = {"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {name: 2}}
    header = {"lora_adapter_metadata": json.dumps(settings)}
    save_file(peft(factors), tmp_path / "style.safetensors", metadata=header)

    # when
    read = read_lora(tmp_path / "style.safetensors", networks)

    # then
    assert read[layer].scale == 2
    assert read[other].scale == 0.5


def test_settings_in_the_header_that_change_the_picture_change_the_hash(tiny, lora):
    # given
    adapters, tensors, found = tiny.components.adapters, load_file(lora), []

    # when
    for alpha in (8, 2):
        header = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": alpha})}
        save_file(tensors, lora, metadata=header)
        found += adapters.resolved([Lora(lora)])

    # then
    assert found[0].sha256 != found[1].sha256
    with pytest.raises(LoadError, match="another file"):
        adapters.resolved(found[:1])


def test_notes_in_the_header_do_not_change_the_hash(tiny, lora):
    # given
    adapters, loras = tiny.components.adapters, [Lora(lora)]
    before = adapters.resolved(loras)

    # when
    save_file(load_file(lora), lora, metadata={"ss_tag": "a style"})

    # then
    assert adapters.resolved(loras) == before


def wider(tensors):
    """Make the LoRA one of a family that reads wider texts."""
    return {
        key: torch.zeros(RANK, 768) if "attn2_to_k.lora_down" in key else value
        for key, value in tensors.items()
    }


def deeper(tensors):
    """Make the LoRA one of a network with more blocks."""
    return {key.replace("mid_block", "down_blocks_7"): value for key, value in tensors.items()}


def halved(tensors):
    """Leave one half of a pair out."""
    return {key: value for key, value in tensors.items() if "conv_out.lora_up" not in key}


def another_kind(tensors):
    """Add what a DoRA has beside its pairs."""
    return {**tensors, "lora_unet_conv_out.dora_scale": torch.ones(4)}


def checkpoint(_tensors):
    """Write weights of a network instead."""
    return {"conv_in.weight": torch.ones(3), "conv_in.bias": torch.ones(3)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (wider, "another family"),
        (deeper, "another family"),
        (halved, "more than a LoRA"),
        (another_kind, "dora_scale"),
        (checkpoint, "something else"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tiny, networks, lora, change, said):
    # given
    before = weights_of(networks)
    save_file(change(load_file(lora) | kohya(attended(networks))), lora)

    # when
    with pytest.raises(LoadError, match=said) as caught:
        draw(tiny, lora)

    # then
    assert lora in caught.value.given
    assert caught.value.allowed and caught.value.fix
    assert_untouched(networks, before)


def attended(networks):
    """Return factors of the first layer that reads the text."""
    path = next(path for path, _ in networks["unet"].named_modules() if "attn2.to_k" in path)
    weight = networks["unet"].get_submodule(path).weight
    shapes = (RANK, weight.shape[1]), (len(weight), RANK)
    return {("unet", path): tuple(map(torch.zeros, shapes))}


def test_a_lora_of_another_family_is_told_its_own(tiny, networks, tmp_path):
    # given
    save_file(wider(kohya(attended(networks))), tmp_path / "sd1.safetensors")

    # when, then
    with pytest.raises(LoadError, match="Stable Diffusion 1"):
        draw(tiny, f"{tmp_path}/sd1.safetensors")


@pytest.mark.parametrize("content", [b"", b"no tensors at all", None])
def test_a_broken_file_is_refused_by_name(tiny, tmp_path, lora, content):
    # given
    path = tmp_path / "broken.safetensors"
    path.write_bytes(Path(lora).read_bytes()[:-100] if content is None else content)

    # when, then
    with pytest.raises(LoadError, match="no weights") as caught:
        draw(tiny, str(path))
    assert caught.value.given == str(path)


def test_a_pickle_is_refused_and_a_missing_file_named(tiny, tmp_path):
    # given
    (tmp_path / "style.pt").write_bytes(b"\x80\x02.")

    # when, then
    with pytest.raises(LoadError, match="any code"):
        draw(tiny, f"{tmp_path}/style.pt")
    with pytest.raises(LoadError, match=r"nowhere\.safetensors"):
        draw(tiny, f"{tmp_path}/nowhere.safetensors")


def test_the_suffix_may_be_left_out(tiny, lora):
    assert torch.equal(draw(tiny, lora.removesuffix(".safetensors")), draw(tiny, lora))


@pytest.mark.parametrize(
    ("name", "tensor", "settings"),
    [
        ("lora_unet_conv_out.alpha", torch.ones(3), "{}"),
        ("lora_unet_conv_out.lora_down.weight", torch.tensor(1.0), "{}"),
        ("lora_unet_conv_out.lora_down.weight", torch.ones(0, 64, 3, 3), "{}"),
        ("lora_unet_conv_out.lora_up.weight", torch.tensor(1.0), "{}"),
        (None, None, "no json"),
        (None, None, "[1]"),
        (None, None, '{"unet.alpha_pattern": {"(": 1}}'),
        (None, None, '{"unet.alpha_pattern": {"([a-z_]*)*!": 1}}'),
        (None, None, '{"unet.alpha_pattern": ["conv_out"]}'),
    ],
)
def test_tensors_that_are_not_what_their_names_say_are_refused(
    networks, tmp_path, name, tensor, settings
):
    # given
    path = tmp_path / "odd.safetensors"
    weight = networks["unet"].conv_out.weight
    tensors = {
        "lora_unet_conv_out.lora_down.weight": torch.ones(RANK, *weight.shape[1:]),
        "lora_unet_conv_out.lora_up.weight": torch.ones(len(weight), RANK, 1, 1),
    }
    if name is not None:
        tensors[name] = tensor
    save_file(tensors, path, metadata={"lora_adapter_metadata": settings})

    # when, then
    with pytest.raises(LoadError) as caught:
        read_lora(path, networks)
    assert str(path) in caught.value.given


def test_a_pattern_for_many_layers_does_not_hold_up_the_reading(networks, adapted, tmp_path):
    # given
    settings = {"unet.alpha_pattern": {"([a-z_.0-9]*)*!": 1}}
    header = {"lora_adapter_metadata": json.dumps(settings)}
    save_file(peft(adapted(0)), tmp_path / "style.safetensors", metadata=header)

    # when, then
    with pytest.raises(LoadError, match="pattern"):
        read_lora(tmp_path / "style.safetensors", networks)
