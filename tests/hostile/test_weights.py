"""Files of weights from anywhere: 200 mutations of a small one, loaded or refused by name."""

import json
import random
import struct
from pathlib import Path
from shutil import copytree

import pytest
import torch
from safetensors.torch import save_file

import sdnb
from sdnb.errors import LoadError
from sdnb.lora import Lora
from sdnb.models.checkpoint import locate
from sdnb.models.controlnet_file import FILES, read_controlnet
from tests.hostile.conftest import refused
from tests.hostile.test_files import mutated
from tests.models.controlnets import random_controlnet
from tests.models.lora_files import RANK, kohya

MUTATIONS = 100


def with_header(data: bytes, seed: int) -> bytes:
    """Change one entry of a header: dtypes, shapes and offsets that lie."""
    draw = random.Random(seed)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    entry = header[draw.choice([name for name in header if name != "__metadata__"])]
    entry[draw.choice(["dtype", "shape", "data_offsets"])] = draw.choice(
        ["F64", "X9", [], [-1], [2**62, 2**62], [0, 2**40], [9, 3], [0.5, 1], None, {}, "F32", [[]]]
    )
    written = json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + data[8 + size :]


def broken(data: bytes) -> list[bytes]:
    odd = [b"", b"\0" * 8, struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 2**30) + b"{}"]
    odd += [struct.pack("<Q", 10_000) + b"[" * 10_000, b"\x80\x04cos\nsystem\n(S'id'\ntR."]
    some = [mutated(data, seed) for seed in range(MUTATIONS - len(odd))]
    return [*odd, *some, *(with_header(data, seed) for seed in range(MUTATIONS))]


def test_broken_checkpoints_are_refused_and_the_loaded_one_stays(pipe, fish, tmp_path: Path):
    # given
    names = ["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.x", "cond_stage.y"]
    save_file({name: torch.zeros(4, 4) for name in names}, tmp_path / "small.safetensors")
    path = tmp_path / "m.safetensors"
    # when
    for content in broken((tmp_path / "small.safetensors").read_bytes()):
        path.write_bytes(content)
        assert refused(sdnb.load, str(path))
    # then
    assert torch.equal(pipe.run(fish.request).latents, fish.latents)


def test_broken_loras_are_refused_and_the_networks_stay(pipe, fish, tmp_path: Path) -> None:
    # given
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    width = pipe.components.unet.get_submodule(layer).in_features
    factors = {("unet", layer): (torch.zeros(RANK, width), torch.zeros(width, RANK))}
    save_file(kohya(factors), tmp_path / "whole.safetensors")
    path, outcomes = tmp_path / "m.safetensors", []
    # when
    assert not refused(pipe.components.adapters.resolved, (Lora(f"{tmp_path}/whole.safetensors"),))
    for content in broken((tmp_path / "whole.safetensors").read_bytes()):
        path.write_bytes(content)
        outcomes.append(refused(pipe.components.adapters.resolved, (Lora(str(path)),)))
    # then
    assert sum(outcomes) > 50  # the others differ in weights only
    assert torch.equal(pipe.run(fish.request).latents, fish.latents)


HUGE = [
    ("unet", {"layers_per_block": 10**6}),
    ("unet", {"layers_per_block": 150, "transformer_layers_per_block": 150}),
    ("unet", {"block_out_channels": [64] * 10**5, "down_block_types": ["DownBlock2D"] * 10**5}),
    ("unet", {"cross_attention_dim": 10**9}),
    ("vae", {"layers_per_block": [10**6, 1]}),
    ("vae", {"layers_per_block": float("inf")}),
    ("text_encoder", {"num_hidden_layers": 10**6}),
    ("text_encoder", {"intermediate_size": 10**9}),
]

ODD = [
    ("text_encoder", {"num_hidden_layers": 3.5}),
    ("text_encoder", {"num_hidden_layers": "many"}),
    ("text_encoder", {"num_attention_heads": 7}),
    ("unet", {"block_out_channels": None}),
    ("vae", {"norm_num_groups": 0}),
]


@pytest.mark.timeout(60)  # what is more than the file has is refused before it is built
@pytest.mark.parametrize(("part", "changes"), [*HUGE, *ODD], ids=str)
def test_a_configuration_that_cannot_be_its_files_is_refused(
    tmp_path: Path, part: str, changes: dict[str, object]
) -> None:
    # given
    copy = copytree(locate("tiny"), tmp_path / "copy")
    config = copy / part / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    # when, then
    with pytest.raises(LoadError):
        sdnb.load(str(copy))


def test_a_controlnet_of_a_million_layers_is_refused(pipe, tmp_path: Path) -> None:
    # given
    net = random_controlnet(pipe.components.unet)
    net.save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "layers_per_block": 10**6}))
    # when, then
    with pytest.raises(LoadError, match="more layers"):
        read_controlnet(tmp_path / FILES[0], pipe.components.unet)


def test_a_pickle_is_not_opened_unasked(tmp_path: Path) -> None:
    for suffix in (".ckpt", ".pt", ".bin"):
        path = tmp_path / f"evil{suffix}"
        path.write_bytes(f"cos\nsystem\n(S'touch {tmp_path}/owned'\ntR.".encode())
        assert refused(sdnb.load, str(path))
        assert refused(sdnb.load, str(path), allow_pickle=True)
    assert not (tmp_path / "owned").exists()
