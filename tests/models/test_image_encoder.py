"""Files of image encoders are told by their tensors, whoever named them."""

import pytest
import torch
from safetensors.torch import save_file

from sdnb.errors import LoadError
from sdnb.models.image_encoder_file import find_image_encoder, read_image_encoder
from sdnb.models.weights import shards_of
from tests.models.image_encoders import PROJECTED, PUBLISHED, SIDE, open_clip_names, published


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_single_file_of_an_image_encoder_is_told_by_its_tensors(pipe, tmp_path, name):
    # given
    theirs = published(name)
    tensors = {key: each.contiguous() for key, each in theirs.state_dict().items()}
    save_file({**tensors, "logit_scale": torch.ones(1)}, tmp_path / "CLIP.safetensors")
    pixels = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    # when
    ours = read_image_encoder(tmp_path / "CLIP.safetensors", pipe.components.unet)

    # then
    torch.testing.assert_close(ours(pixels).image_embeds, theirs(pixels).image_embeds)


def test_an_image_encoder_may_have_the_names_of_openclip(pipe, tmp_path):
    # given
    theirs = published("ViT-H")
    (tmp_path / "clip_vision").mkdir()
    save_file(open_clip_names(theirs), tmp_path / "clip_vision" / "open_clip_model.safetensors")
    pixels = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))

    # when
    found = find_image_encoder(tmp_path / "plain.safetensors", PROJECTED, reads_summary=True)
    ours = read_image_encoder(found, pipe.components.unet)

    # then
    torch.testing.assert_close(ours(pixels).image_embeds, theirs(pixels).image_embeds)


@pytest.mark.parametrize(
    "written",
    [
        "[",
        "[]",
        "{}",
        '{"weight_map": 3}',
        '{"weight_map": {"a": "../other.safetensors"}}',
        '{"weight_map": {"a": "model.safetensors.index.json"}}',
        '{"weight_map": {"a": "pytorch_model.bin"}}',
    ],
)
def test_a_broken_index_is_refused_by_name(tmp_path, written):
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(written)
    save_file({"a": torch.ones(1)}, tmp_path.parent / "other.safetensors")
    with pytest.raises(LoadError, match="weights that can be read"):
        shards_of(path)
