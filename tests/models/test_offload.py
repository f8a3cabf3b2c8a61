"""Parts take turns on the device: who computes is there, all else rests, and pictures are the same.

There is no second device here: what "is on the device" is a copy of the weights that rest.
"""

from itertools import groupby

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import sdnb
from sdnb.comparison.denoising import ask_network
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import Cell
from sdnb.control import Control
from sdnb.errors import InvalidField
from sdnb.events import Hooks
from sdnb.lora import Lora
from sdnb.models.lora_file import Factors
from sdnb.models.memory import too_large
from sdnb.models.offload import Offload
from sdnb.request import GenerationRequest
from tests.models.controlnets import picture
from tests.models.lora_files import RANK, kohya

PROMPT = "a red circle on a meadow"
ASKED = {"seed": 7, "steps": 3, "width": 64, "height": 64}


@pytest.fixture
def offloaded():
    return sdnb.load("tiny", offload=True)


@pytest.fixture
def at_work(offloaded):
    """Note each layer that computes: its part, the parts on the device, whether it is there."""
    parts = offloaded.components
    networks = {"text": parts.texts[0].network, "unet": parts.unet, "vae": parts.vae}
    part_of = {layer: name for name, network in networks.items() for layer in network.modules()}
    first = {name: next(network.parameters()) for name, network in networks.items()}
    noted = []

    def is_there(weight):
        return parts.offload.address(weight) != weight.data_ptr()

    def note(layer, _inputs):
        if own := list(layer.parameters(recurse=False)):
            there = frozenset(name for name, weight in first.items() if is_there(weight))
            noted.append((part_of.get(layer, "beside"), there, all(map(is_there, own))))

    handle = nn.modules.module.register_module_forward_pre_hook(note)
    yield noted
    handle.remove()


def turns(noted):
    """Gather what was noted: whose turn it was, and who was on the device meanwhile."""
    return [turn for turn, _ in groupby((part, set(there)) for part, there, _ in noted)]


def drawn(tiny, **fields):
    return tiny.run(PROMPT, **{**ASKED, **fields})


def test_only_the_part_that_computes_is_on_the_device_and_the_picture_is_the_same(
    tiny, offloaded, at_work
):
    # when
    result = drawn(offloaded)

    # then
    assert turns(at_work) == [("text", {"text"}), ("unet", {"unet"}), ("vae", {"vae"})]
    assert all(is_there for *_, is_there in at_work)
    assert result.images == drawn(tiny).images
    assert "offloaded" in offloaded.info()["device"]
    assert "offloaded" not in tiny.info()["device"]


def test_the_network_comes_once_for_all_steps_and_previews_leave_it_there(
    offloaded, at_work, monkeypatch
):
    # given
    came, come = [], Offload._come
    first = {id(offloaded.components.unet.conv_in.weight): "unet"}
    first[id(offloaded.components.vae.decoder.conv_in.weight)] = "vae"
    monkeypatch.setattr(
        Offload,
        "_come",
        lambda self, weight: (came.append(first.get(id(weight))), come(self, weight)),
    )

    # when
    run = offloaded.start(PROMPT, **ASKED)
    for _ in range(3):
        run.step()
        run.preview()
    run.finish()

    # then: the first preview lets the VAE join; weights that are there stay
    both = {"unet", "vae"}
    assert turns(at_work) == [
        ("text", {"text"}),
        ("unet", {"unet"}),
        ("vae", both),
        ("unet", both),
        ("vae", both),
        ("unet", both),
        ("vae", both),
    ]
    assert all(is_there for *_, is_there in at_work)
    assert [each for each in came if each] == ["unet", "vae"]


def test_texts_are_not_encoded_again_because_the_encoder_moved(offloaded, at_work):
    drawn(offloaded)
    at_work.clear()
    drawn(offloaded, seed=8)
    assert turns(at_work) == [("unet", {"unet"}), ("vae", {"vae"})]


def test_loras_and_controlnets_come_with_the_network(tiny, offloaded, at_work, monkeypatch):
    # given
    change, elsewhere = Factors.change, []

    def noted(self, weight):
        if offloaded.components.offload.address(weight) == weight.data_ptr():
            elsewhere.append(weight)
        return change(self, weight)

    control = Control(picture=picture(), reference="depth", weight=0.5)
    monkeypatch.setattr(Factors, "change", noted)

    # when
    steered = drawn(offloaded, controls=(control,))
    assert all(is_there for *_, is_there in at_work)
    assert {"beside"} < {part for part, *_ in at_work}
    styled = drawn(offloaded, loras="ink")

    # then
    assert elsewhere == []
    monkeypatch.undo()
    assert steered.images == drawn(tiny, controls=(control,)).images
    assert styled.images == drawn(tiny, loras="ink").images
    assert offloaded.components.adapters._merged == {}


def test_an_encoder_that_read_a_single_question_with_a_lora_is_whole_afterwards(
    offloaded, at_work, tmp_path
):
    # given: one of the text encoder
    layer = "encoder.layers.0.mlp.fc1"
    wide, narrow = offloaded.components.texts[0].network.get_submodule(layer).weight.shape
    factors = torch.ones(RANK, narrow), torch.ones(wide, RANK)
    path = tmp_path / "words.safetensors"
    save_file(kohya({("text_encoder", layer): factors}), path)
    like = GenerationRequest(cfg_scale=1.0, loras=(Lora(str(path)),))

    # when
    ask_network(offloaded, {"cond": [PROMPT]}, like)
    at_work.clear()
    ask_network(offloaded, {"cond": [PROMPT]})

    # then: once it is taken off, all weights are there
    assert turns(at_work) == [("text", {"text"})]
    assert all(is_there for *_, is_there in at_work)


def test_a_preview_from_within_the_network_leaves_its_own_weights_there(offloaded):
    # given: others are worn in the place of some while a layer is looked at
    def look(_event):
        run.preview()

    offload, unet = offloaded.components.offload, offloaded.components.unet
    run = offloaded.start(PROMPT, **ASKED, loras="ink", hooks=Hooks.at("module.mid_block", look))

    # when
    run.step()
    run.step()

    # then
    assert all(offload.address(weight) != weight.data_ptr() for weight in unet.parameters())


def test_cells_of_another_checkpoint_take_turns_too(offloaded, monkeypatch):
    # given
    loaded = []

    def noted(reference, **options):
        loaded.append(options["offload"])
        return sdnb.load("tiny", **options)

    monkeypatch.setattr("sdnb.comparison.engine.load", noted)
    request = GenerationRequest(prompt=PROMPT, checkpoint="another.safetensors", **ASKED)

    # when
    list(Lockstep(offloaded).rounds({0: Cell(labels=(), request=request)}))

    # then
    assert loaded == [True]


def test_other_runs_and_parts_take_turns_too(tiny, offloaded):
    # given
    other = offloaded.swapped(vae="tiny")

    # when
    held = offloaded.start(PROMPT, **ASKED)
    held.step()
    between = drawn(other)

    # then
    assert between.images == held.finish().images == drawn(tiny).images


def test_what_is_written_to_weights_on_the_device_stays(offloaded):
    # given
    def louder(event):
        if event.index == 0:
            offloaded.components.unet.conv_out.weight.mul_(2)

    before = offloaded.components.unet.conv_out.weight.clone()

    # when
    drawn(offloaded, hooks=Hooks(on_step=(louder,)))

    # then
    assert torch.equal(offloaded.components.unet.conv_out.weight, before * 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, torch.OutOfMemoryError])
def test_a_part_that_came_in_half_comes_whole_the_next_time(
    tiny, offloaded, at_work, monkeypatch, error
):
    # given
    come, count = Offload._come, iter(range(10_000))

    def ended(self, weight):
        if next(count) == 150:  # within the U-Net
            raise error
        come(self, weight)

    monkeypatch.setattr(Offload, "_come", ended)
    with pytest.raises((KeyboardInterrupt, sdnb.SdnbError)):
        drawn(offloaded)

    # when
    result = drawn(offloaded)

    # then
    assert next(count) > 150
    assert all(is_there for *_, is_there in at_work)
    assert result.images == drawn(tiny).images


def test_a_preview_without_room_beside_the_network_is_decoded_alone(tiny, offloaded, monkeypatch):
    # given
    def full(_self, _network):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Offload, "join", full)
    run, other = offloaded.start(PROMPT, **ASKED), tiny.start(PROMPT, **ASKED)
    run.step()
    other.step()

    # when
    images = run.preview()

    # then
    assert images == other.preview()
    assert run.finish().images == other.finish().images


def test_a_network_whose_weights_move_is_neither_compiled_nor_trained(offloaded):
    from PIL import Image

    from sdnb.training.denoising import Examples

    with pytest.raises(InvalidField, match="cannot be compiled"):
        offloaded.compiled()
    with pytest.raises(InvalidField, match="stays on the device"):
        Examples.of(offloaded, [Image.new("RGB", (32, 32))])


def test_another_process_offloads_too(offloaded):
    from sdnb.models.loading import load_again

    assert load_again(offloaded.components.recipe).offload is not None


def test_the_error_at_the_end_of_memory_names_three_things_to_try():
    error = too_large(torch.zeros(1, 4, 8, 8), torch.OutOfMemoryError())
    for each in ("width and height", "batch_size", "--offload"):
        assert each in str(error)
