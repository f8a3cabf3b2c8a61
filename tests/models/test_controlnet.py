"""ControlNets steer the network for the lanes that asked for them, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copy

import pytest
import torch
from safetensors.torch import save_file

import sdnb
from sdnb.control import Control
from sdnb.errors import LoadError
from sdnb.events import Hooks
from sdnb.lockstep import lockstep
from sdnb.models.controlnet import NETWORKS, ControlNets
from sdnb.models.controlnet_file import read_controlnet
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.picture import Inpaint, Picture
from tests.models.controlnets import picture, random_controlnet, save_diffusers, save_original
from tests.models.families.checkpoints import BUILDS, make

PROMPT = "a red circle on a meadow"


@pytest.fixture(scope="module")
def file(pipe, tmp_path_factory):
    """Write a ControlNet of the embedded model as one file; its path."""
    path = tmp_path_factory.mktemp("nets") / "depth.safetensors"
    return save_diffusers(random_controlnet(pipe.components.unet), path)


@pytest.fixture
def control(file):
    return Control(picture=picture(), reference=file, weight=0.7)


@pytest.fixture(scope="module")
def sd1():
    return make(BUILDS["sd1"])


def begun(pipe, *controls, **fields):
    asked = {"seed": 3, "steps": 3, "width": 64, "height": 64, "controls": controls}
    return pipe.start(PROMPT, **{**asked, **fields})


def draw(pipe, *controls, **fields):
    return begun(pipe, *controls, **fields).finish().latents


def test_a_control_changes_the_picture_and_its_hash_is_kept(pipe, control):
    result = begun(pipe, control).finish()
    assert (result.latents - draw(pipe)).abs().max() > 0.1
    assert len(result.request.controls[0].sha256) == 64
    assert torch.equal(pipe.run(result.request).latents, result.latents)


def test_many_controls_of_one_run_are_read_once_each(pipe, file, tmp_path, monkeypatch):
    # given
    read, count = [], NETWORKS + 1
    paths = [str(copy(file, tmp_path / f"{number}.safetensors")) for number in range(count)]
    network, nets = random_controlnet(pipe.components.unet), pipe.components.controlnets._networks
    monkeypatch.setattr(nets, "_read", lambda path: read.append(path) or network)

    # when
    draw(pipe, *(Control(picture=picture(), reference=path) for path in paths))

    # then
    assert [str(path) for path in read] == paths


def test_a_weight_of_zero_is_no_control_at_all(pipe, control):
    assert torch.equal(draw(pipe, replace(control, weight=0.0)), draw(pipe))


def test_a_span_without_a_whole_step_is_no_control_at_all(pipe, control):
    assert torch.equal(draw(pipe, replace(control, end=0.2)), draw(pipe))


def test_two_controls_add_up_with_their_weights(pipe, control):
    # given
    halves = [replace(control, weight=0.3), replace(control, weight=0.4)]

    # when
    apart, whole = draw(pipe, *halves), draw(pipe, control)

    # then
    torch.testing.assert_close(apart, whole, atol=1e-4, rtol=0)


def test_a_controlled_batch_is_its_images_drawn_alone(pipe, control):
    batch = draw(pipe, control, batch_size=2)
    singles = [draw(pipe, control, seed=3 + i) for i in range(2)]
    torch.testing.assert_close(batch, torch.cat(singles), atol=1e-3, rtol=0)


def test_lanes_with_other_controls_draw_as_they_would_alone(pipe, control):
    # given
    other, late = replace(control, picture=picture(1)), replace(control, begin=0.3)
    wanted = [(control,), (other,), (late,), (control, other), (), (control,)]
    alone = [draw(pipe, *controls) for controls in wanted]

    # when
    runs = [begun(pipe, *controls) for controls in wanted]
    for _ in lockstep(Networks(Denoiser(pipe.components)), runs):
        pass

    # then
    for run, latents in zip(runs, alone, strict=True):
        torch.testing.assert_close(run.finish().latents, latents, atol=1e-3, rtol=0)


def test_lanes_share_a_call_where_the_same_is_heard(pipe, control):
    # given
    rows = []
    handle = pipe.components.unet.register_forward_hook(
        lambda _m, given, _o: rows.append(len(given[0]))
    )
    late = replace(control, begin=0.3)
    runs = [begun(pipe, *each, steps=2) for each in ((control,), (control,), (), (late,))]

    # when
    try:
        for _ in lockstep(Networks(Denoiser(pipe.components)), runs):
            pass
    finally:
        handle.remove()

    # then
    assert sorted(rows[:2]) == [4, 4]
    assert sorted(rows[2:]) == [2, 2, 4]


def test_hooks_inside_the_network_and_attention_see_a_controlled_run(tiny, lora):
    # given
    control, seen = Control(picture=picture(), reference="depth"), []
    hooks = Hooks.at("module.mid_block", lambda event: seen.append(event.path))

    # when
    watched = begun(tiny, control, hooks=hooks, attention=True, loras=(lora,)).finish()
    plain = draw(tiny, control, loras=(lora,))

    # then
    assert len(seen) == 3
    assert watched.attention is not None
    torch.testing.assert_close(watched.latents, plain, atol=1e-4, rtol=0)
    assert (plain - draw(tiny, control)).abs().max() > 0.01
    assert (plain - draw(tiny, loras=(lora,))).abs().max() > 0.01


def test_a_second_pass_is_steered_at_its_own_size(pipe, control):
    # given
    hires = "2x denoise=0.5"
    first = draw(pipe, hires=hires)

    # when
    steered = draw(pipe, control, hires=hires)
    sizes = {tuple(size) for _, size in pipe.components.controlnets._pictures._kept}

    # then
    assert steered.shape == first.shape
    assert (steered - first).abs().max() > 0.01
    assert {(8, 8), (16, 16)} <= sizes


def test_a_branch_goes_on_with_other_controls(pipe, control):
    # given
    result = begun(pipe, control).finish()

    # when
    same = pipe.branch(result, step=1).finish()
    freed = pipe.branch(result, step=1, controls=()).finish()

    # then
    assert torch.equal(same.latents, result.latents)
    assert (freed.latents - result.latents).abs().max() > 0.01


def test_what_a_hook_asks_again_is_steered_too(pipe, control):
    # given
    pairs = []

    def ask(event):
        pairs.append((event.denoise(event.x).detach(), event.denoised))

    # when
    draw(pipe, control, hooks=Hooks(on_denoise=(ask,)))

    # then
    for again, first in pairs:
        torch.testing.assert_close(again, first, atol=1e-5, rtol=0)


def test_a_sampler_with_steps_of_its_own_hears_by_level(pipe, control, monkeypatch):
    # given
    asked, residuals = [], ControlNets.residuals

    def note(self, controls, x, t, told):
        asked.append((float(t[0]), bool(controls)))
        return residuals(self, controls, x, t, told)

    monkeypatch.setattr(ControlNets, "residuals", note)

    # when
    draw(pipe, replace(control, end=0.5), sampler="dpm_adaptive", steps=4)

    # then
    heard, unheard = ([t for t, is_heard in asked if is_heard is which] for which in (True, False))
    assert heard
    assert unheard
    assert heard[0] == asked[0][0]
    assert max(unheard) <= max(heard)
    assert asked[-1][1] is False


def test_every_layout_is_the_same_network(sd1, tmp_path):
    # given
    controlnet = random_controlnet(sd1.unet)
    controlnet.save_pretrained(tmp_path / "folder")
    paths = [
        save_diffusers(controlnet, tmp_path / "theirs.safetensors"),
        save_original(controlnet, tmp_path / "original.safetensors"),
        tmp_path / "folder" / "diffusion_pytorch_model.safetensors",
    ]

    # when
    networks = [read_controlnet(tmp_path / path, sd1.unet) for path in paths]

    # then
    for network in networks:
        state = network.state_dict()
        assert all(torch.equal(state[name], each) for name, each in controlnet.state_dict().items())
        assert tuple(network.config.down_block_types) == tuple(sd1.unet.config.down_block_types)


def test_a_reduced_controlnet_is_recognised_by_its_tensors(tiny, tmp_path):
    # given
    unet = tiny.components.unet
    small = {
        "down_block_types": ("DownBlock2D",) * 3,
        "mid_block_type": "UNetMidBlock2D",
        "conditioning_embedding_out_channels": (8, 16, 32, 64),
    }
    controlnet = random_controlnet(unet, **small)
    path = save_diffusers(controlnet, tmp_path / "small.safetensors")

    # when
    read = read_controlnet(tmp_path / path, unet)

    # then
    assert {name: read.config[name] for name in small} == small
    assert read.state_dict().keys() == controlnet.state_dict().keys()


def test_a_controlnet_in_a_model_folder_is_found_by_its_bare_name(
    pipe, control, file, tmp_path, monkeypatch
):
    # given
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mine.safetensors").write_bytes(Path(file).read_bytes())
    random_controlnet(pipe.components.unet).save_pretrained(tmp_path / "nets" / "folder")
    monkeypatch.setenv("SDNB_MODELS", str(tmp_path))

    # when
    drawn = [draw(pipe, replace(control, reference=name)) for name in ("mine", "folder")]

    # then
    assert all(torch.equal(each, draw(pipe, control)) for each in drawn)


def test_an_inpainting_network_is_steered_by_a_usual_controlnet(tmp_path):
    # given
    build = BUILDS["sd1 inpainting"]
    theirs = make(build)
    theirs.save_pretrained(tmp_path / "model")
    usual = random_controlnet(make(BUILDS["sd1"]).unet)
    path = save_diffusers(usual, tmp_path / "depth.safetensors")
    pipe = sdnb.load(str(tmp_path / "model"))
    start = Inpaint(picture(2), Picture.of(picture(3).open().convert("L")))

    # when
    steered = draw(pipe, Control(picture=picture(), reference=path), start=start)

    # then
    assert (steered - draw(pipe, start=start)).abs().max() > 1e-3


def refused(pipe, path, words):
    before = draw(pipe)
    with pytest.raises(LoadError, match=words) as caught:
        begun(pipe, Control(picture=picture(), reference=str(path)))
    assert torch.equal(draw(pipe), before)
    return str(caught.value)


def test_a_controlnet_of_another_family_is_refused(pipe, sd1, tmp_path):
    controlnet = random_controlnet(sd1.unet)
    controlnet.save_pretrained(tmp_path / "folder")
    path = save_diffusers(controlnet, tmp_path / "sd1.safetensors")
    assert "sd1.safetensors" in refused(pipe, path, "another (family|build)")
    assert "folder" in refused(pipe, tmp_path / "folder", "another family")


def test_what_is_no_controlnet_is_refused(tiny, file, lora, tmp_path):
    # given
    whole = Path(file).read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.safetensors").write_text("a depth map")
    (tmp_path / "net.ckpt").write_bytes(b"pickle")
    tensors = random_controlnet(tiny.components.unet).state_dict()
    save_file({**tensors, "task_embedding": torch.zeros(4)}, tmp_path / "union.safetensors")
    tensors.pop("controlnet_mid_block.bias")
    save_file(tensors, tmp_path / "less.safetensors")

    # when, then
    refused(tiny, tmp_path / "cut.safetensors", "no weights")
    refused(tiny, tmp_path / "text.safetensors", "no weights")
    refused(tiny, tmp_path / "net.ckpt", "pickle")
    refused(tiny, tmp_path / "union.safetensors", "more than a ControlNet")
    refused(tiny, tmp_path / "less.safetensors", "missing")
    refused(tiny, lora, "no ControlNet")
    refused(tiny, "no such net", "no ControlNet of this name")


def test_another_kind_of_controlnet_is_refused(pipe, tmp_path):
    random_controlnet(pipe.components.unet).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "_class_name": "Other"}))
    refused(pipe, tmp_path, "kind of ControlNet")


def test_a_configuration_of_endless_depth_is_refused(pipe, tmp_path):
    random_controlnet(pipe.components.unet).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}")
    refused(pipe, tmp_path, "cannot be read")


def test_a_request_with_another_hash_is_refused(pipe, control):
    with pytest.raises(LoadError, match="another file"):
        begun(pipe, replace(control, sha256="ab" * 32))
