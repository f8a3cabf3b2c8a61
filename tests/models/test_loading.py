"""Loading: clear errors for what is missing or broken, and nothing left switched."""

import json
import shutil

import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file, save_file
from transformers.utils import logging

import sdnb
from sdnb.errors import LoadError, UnknownName
from sdnb.models import loading
from sdnb.models.checkpoint import locate


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(locate("tiny"), tmp_path / "copy")


def test_a_folder_elsewhere_loads_as_the_embedded_one(copy, tiny):
    loaded = sdnb.load(str(copy))
    assert loaded.run("a cat", seed=1, steps=1).images == tiny.run("a cat", seed=1, steps=1).images
    assert loaded.info()["size"] == "128x128"


def test_a_reference_that_leads_nowhere_is_told_what_would():
    with pytest.raises(UnknownName, match="tiny"):
        sdnb.load("no/such/model")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_missing_part_is_named(copy, part):
    shutil.rmtree(copy / part)
    with pytest.raises(LoadError, match=part):
        sdnb.load(str(copy))


def test_cut_off_weights_are_refused(copy):
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(LoadError, match="no weights that can be read"):
        sdnb.load(str(copy))


def test_pickled_weights_are_not_read(copy):
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(LoadError):
        sdnb.load(str(copy))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("model_index.json", "_class_name", "FluxPipeline"),
        ("scheduler/scheduler_config.json", "beta_schedule", "strange"),
        ("scheduler/scheduler_config.json", "prediction_type", "strange"),
        ("scheduler/scheduler_config.json", "trained_betas", [0.1]),
    ],
)
def test_an_unknown_kind_is_refused_by_name(copy, file, key, value):
    config = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps({**config, key: value}))
    with pytest.raises(LoadError, match=value if isinstance(value, str) else key):
        sdnb.load(str(copy))


@pytest.mark.parametrize(
    "changes",
    [
        {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"rescale_betas_zero_snr": True},
    ],
)
def test_the_noise_schedule_is_the_one_of_the_configuration(copy, changes):
    # given
    path = copy / "scheduler" / "scheduler_config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(config))
    theirs = DDIMScheduler.from_config(config).alphas_cumprod.double()

    # when
    pipe = sdnb.load(str(copy))

    # then: theirs is computed in float32, and its zero is 0
    ours = pipe.components.noise_schedule.alphas_cumprod
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-7)
    assert pipe.start("a cat", steps=2).sigmas[0] == pytest.approx((1 / ours[-1] - 1).sqrt().item())


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_network_with_a_weight_missing_is_refused(copy, part):
    # given
    (weights,) = (copy / part).glob("*.safetensors")
    tensors = load_file(weights)
    del tensors[next(name for name in tensors if name.endswith("weight"))]
    save_file(tensors, weights, metadata={"format": "pt"})

    # when / then
    with pytest.raises(LoadError, match=part):
        sdnb.load(str(copy))


@pytest.mark.parametrize("file", ["model_index.json", "words.json"])
def test_a_broken_file_is_refused(copy, file):
    (copy / file).write_text("[")
    with pytest.raises(LoadError):
        sdnb.load(str(copy))


def test_loading_leaves_other_libraries_progress_bars_as_they_were():
    logging.enable_progress_bar()
    sdnb.load("tiny")
    assert logging.is_progress_bar_enabled()


@pytest.mark.parametrize(
    ("dtype", "device", "expected"),
    [
        (torch.float16, "cuda:1", torch.channels_last),
        (torch.bfloat16, "cuda", torch.channels_last),
        (torch.float32, "cuda", torch.preserve_format),
        (torch.float16, "cpu", torch.preserve_format),
        (torch.float16, "mps", torch.preserve_format),
    ],
)
def test_channels_lie_last_for_half_precision_on_cuda(dtype, device, expected):
    assert loading.memory_format(dtype, torch.device(device)) is expected


def test_channels_that_lie_last_draw_the_same_up_to_float_error(tiny, monkeypatch):
    # given
    def last(_dtype, _device):
        return torch.channels_last

    monkeypatch.setattr(loading, "memory_format", last)
    asked = {"seed": 1, "steps": 2, "width": 64, "height": 64}

    # when
    other = sdnb.load("tiny", offload=True)
    ours, theirs = other.run("a cat", **asked), tiny.run("a cat", **asked)

    # then
    for network in (other.components.unet, other.components.vae.decoder):
        assert network.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert not tiny.components.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(ours.latents, theirs.latents, atol=1e-3)
    assert ours.latents.is_contiguous()
