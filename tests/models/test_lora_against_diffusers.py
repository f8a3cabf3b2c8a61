"""LoRA files mean here what they mean to diffusers: its names, its pictures."""

from functools import partial

import pytest
import torch
from diffusers.loaders import lora_conversion_utils
from diffusers.utils.state_dict_utils import (
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTokenizer

import sdnb
from sdnb.lora import Lora
from sdnb.models.checkpoint import locate
from sdnb.models.lora import Adapters
from sdnb.models.lora_names import name_layers
from tests.models.pipelines import Case, embedded, tiny_sdxl

PROMPT, STEPS, RANK, ALPHA = "a red circle on a meadow", 4, 4, 2.0


@pytest.fixture(scope="module")
def words():
    return CLIPTokenizer.from_pretrained(locate("tiny") / "tokenizer", local_files_only=True)


def parts_of(pipeline):
    names = ("unet", "text_encoder", "text_encoder_2")
    return {name: getattr(pipeline, name) for name in names if hasattr(pipeline, name)}


def their_layers(names, unet):
    """Return what diffusers takes kohya's names for: name -> network and path."""
    tagged = {}
    for number, name in enumerate(names):
        tagged[f"{name}.lora_down.weight"] = torch.tensor([float(number)])
        tagged[f"{name}.lora_up.weight"] = torch.tensor([float(number)])
    mapped = lora_conversion_utils._maybe_map_sgm_blocks_to_diffusers(tagged, unet.config)
    converted, _ = lora_conversion_utils._convert_non_diffusers_lora_to_diffusers(dict(mapped))
    unet_part = {key: value for key, value in converted.items() if key.startswith("unet.")}
    text_part = {key: value for key, value in converted.items() if key not in unet_part}
    found = convert_unet_state_dict_to_peft(unet_part)
    if text_part:
        found |= convert_state_dict_to_peft(text_part)
    layers = {}
    for key, value in found.items():
        if "lora_A" in key:
            network, _, path = key.partition(".")
            path = path.partition(".lora_A")[0]
            layers[names[int(value)]] = network, path
    return layers


KOHYA = {
    "paths": ("down_", "mid_", "up_", "conv_", "time_embedding_"),
    "blocks": ("input_", "middle_", "out_", "output_", "time_embed_", "label_"),
}


@pytest.mark.parametrize("make", [embedded, tiny_sdxl])
@pytest.mark.parametrize("kind", KOHYA)
def test_kohyas_names_mean_the_layers_that_diffusers_takes_them_for(words, make, kind):
    # given
    pipeline = make(words)
    ours = name_layers(parts_of(pipeline))
    unet = tuple(f"lora_unet_{begin}" for begin in KOHYA[kind])
    text = ("lora_te1_", "lora_te2_") if hasattr(pipeline, "text_encoder_2") else ("lora_te_",)
    names = [name for name in ours if name.startswith((*unet, *text))]
    names = [name for name in names if not name.endswith("text_projection")]  # unknown to them

    # when
    theirs = their_layers(names, pipeline.unet)

    # then
    assert len(names) > 50
    for name in names:
        network, path = ours[name]
        full = path if network == "unet" or "text_model" in path else f"text_model.{path}"
        assert theirs[name] == (network, full)


def random_factors(pipeline, seed):
    generator = torch.Generator().manual_seed(seed)
    for network, modules in parts_of(pipeline).items():
        for path, module in modules.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                shape = module.weight.shape
                down = torch.randn(RANK, *shape[1:], generator=generator) / 16
                ones = [1] * (len(shape) - 2)
                yield (
                    network,
                    path,
                    down,
                    torch.randn(shape[0], RANK, *ones, generator=generator) / 16,
                )


def kohya(factors):
    for network, path, down, up in factors:
        start = "lora_unet_" if network == "unet" else "lora_te_text_model_"
        name = start + path.replace(".", "_")
        yield f"{name}.lora_down.weight", down
        yield f"{name}.lora_up.weight", up
        yield f"{name}.alpha", torch.tensor(ALPHA)


def peft(factors):
    for network, path, down, up in factors:
        name = f"{network}.{path}" if network == "unet" else f"{network}.text_model.{path}"
        yield f"{name}.lora_A.weight", down
        yield f"{name}.lora_B.weight", up


LAYOUTS = {"kohya": (kohya, ALPHA / RANK), "peft": (peft, 1.0)}


@pytest.fixture
def files(words, tmp_path):
    """Write two LoRAs of every layer in each layout."""
    for layout, (write, _) in LAYOUTS.items():
        for seed in (0, 1):
            save_file(
                dict(write(random_factors(embedded(words), seed))),
                tmp_path / f"{layout}{seed}.safetensors",
            )
    return tmp_path


def branch(lora, module, given, output):
    """Add a LoRA's side branch to what a layer gives: ``share * up(down(x))``."""
    (x,), (share, down, up) = given, lora
    if isinstance(module, nn.Linear):
        return output + share * x @ down.T @ up.T
    inner = nn.functional.conv2d(x, down, stride=module.stride, padding=module.padding)
    return output + share * nn.functional.conv2d(inner, up)


def their_latents(pipeline, x):
    pipeline.set_progress_bar_config(disable=True)
    out = pipeline(
        PROMPT, num_inference_steps=STEPS, guidance_scale=4.0, latents=x, output_type="latent"
    )
    return out.images


@pytest.fixture
def ours():
    """Draw with the levels of diffusers' ``leading`` spacing."""
    from sdnb.registry import SCHEDULES

    @sdnb.schedule("their_spacing")
    def leading(steps, noise_schedule):
        stride = 1000 // steps
        levels = noise_schedule.sigmas[[1 + stride * i for i in reversed(range(steps))]]
        return torch.cat([levels, levels.new_zeros(1)])

    def draw(tiny, loras):
        fields = {"seed": 7, "steps": STEPS, "sampler": "ddim", "schedule": "their_spacing"}
        result = tiny.run(PROMPT, width=64, height=64, loras=loras, **fields)
        sigma = result.trace.sigmas[0]
        return result.latents, result.trace.x[0] / (1 + sigma**2) ** 0.5

    yield draw
    SCHEDULES.remove("their_spacing")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_loras_draw_what_side_branches_draw_in_diffusers(tiny, words, files, ours, layout):
    # given
    weights = (0.5, 0.8)
    loras = tuple(f"{files}/{layout}{seed}.safetensors:{w}" for seed, w in enumerate(weights))
    latents, x = ours(tiny, loras)

    # when
    pipeline = embedded(words)
    for seed, weight in enumerate(weights):
        for network, path, down, up in random_factors(pipeline, seed):
            share = weight * LAYOUTS[layout][1]
            module = getattr(pipeline, network).get_submodule(path)
            module.register_forward_hook(partial(branch, (share, down, up)))
    theirs = their_latents(pipeline, x)

    # then
    torch.testing.assert_close(latents, theirs, atol=1e-4, rtol=0)


def test_all_networks_of_sdxl_wear_what_kohya_named_in_the_original_way(words, tmp_path):
    # given
    case = Case(tiny_sdxl, "unet", {"prompt": "a cat"}, 3, 1)
    networks = parts_of(case.pipeline)
    marks = ("lora_unet_input", "lora_unet_middle", "lora_unet_output", "lora_te1_", "lora_te2_")
    known = {layer: name for name, layer in name_layers(networks).items() if name.startswith(marks)}
    tensors, branches = {}, []
    for network, path, down, up in random_factors(case.pipeline, 0):
        if (network, path) in known:
            name = known[network, path]
            tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
            branches.append((networks[network].get_submodule(path), (0.7, down, up)))
    save_file(tensors, tmp_path / "xl.safetensors")
    adapters, bare = Adapters(networks), case()

    # when
    loras = adapters.resolved([Lora(f"{tmp_path}/xl.safetensors", 0.7)])
    with adapters.in_unet(loras), adapters.in_text(loras):
        ours = case()
    handles = [
        module.register_forward_hook(partial(branch, factors)) for module, factors in branches
    ]
    theirs = case()

    # then
    assert {network for network, _ in known} == set(networks)
    assert len(handles) > 40
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert (theirs - bare).abs().max() > 1e-3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_loras_draw_what_diffusers_own_loader_draws(tiny, words, files, ours, layout):
    pytest.importorskip("peft")

    # given
    weights = (0.5, 0.8)
    loras = tuple(f"{files}/{layout}{seed}.safetensors:{w}" for seed, w in enumerate(weights))
    latents, x = ours(tiny, loras)

    # when
    pipeline = embedded(words)
    for seed in (0, 1):
        name = f"{layout}{seed}"
        pipeline.load_lora_weights(files, weight_name=f"{name}.safetensors", adapter_name=name)
    pipeline.set_adapters([f"{layout}0", f"{layout}1"], list(weights))
    theirs = their_latents(pipeline, x)

    # then
    torch.testing.assert_close(latents, theirs, atol=1e-4, rtol=0)
