"""Single files: what is told by their tensors, and clear errors for what is no checkpoint."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import sdnb
from sdnb.errors import LoadError
from sdnb.models.single_file import answers_with_noise
from tests.models.families.checkpoints import BUILDS, make, save_original


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save_original(
        make(BUILDS["sd1"]), BUILDS["sd1"], tmp_path_factory.mktemp("sd1") / "small.safetensors"
    )


@pytest.fixture
def changed(small, tmp_path):
    def write(change, name="changed.safetensors", metadata=None):
        tensors = load_file(small)
        change(tensors)
        save_file(tensors, tmp_path / name, metadata)
        return str(tmp_path / name)

    return write


def nothing(_tensors):
    pass


def test_half_precision_files_are_read_as_well(changed, small):
    def halve(tensors):
        tensors.update({name: tensor.half() for name, tensor in tensors.items()})

    half = sdnb.load(changed(halve)).components
    whole = sdnb.load(str(small)).components
    assert half.unet.dtype == half.vae.dtype == torch.float32
    assert torch.equal(half.unet.conv_in.weight, whole.unet.conv_in.weight.half().float())


def test_a_truncated_file_is_named(small, tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(small.read_bytes()[:100_000])
    with pytest.raises(LoadError, match=r"cut\.safetensors") as error:
        sdnb.load(str(path))
    assert "download" in error.value.fix


def test_a_text_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "page.safetensors"
    path.write_text("<!doctype html><title>Log in</title>")
    with pytest.raises(LoadError, match="no weights"):
        sdnb.load(str(path))


def test_a_missing_tensor_is_named(changed):
    name = "model.diffusion_model.middle_block.1.proj_in.weight"
    with pytest.raises(LoadError, match=name):
        sdnb.load(changed(lambda tensors: tensors.pop(name)))


def test_a_tensor_of_another_shape_is_named(changed):
    def cut(tensors):
        tensors["model.diffusion_model.out.2.bias"] = torch.zeros(7)

    with pytest.raises(LoadError, match=r"out\.2\.bias"):
        sdnb.load(changed(cut))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"], "LoRA"),
        (["decoder.conv_in.weight"], "VAE"),
        (["control_model.input_hint_block.0.weight"], "ControlNet"),
        (["model.diffusion_model.joint_blocks.0.x"], "sdnb.observe"),
        (["double_blocks.0.img_attn.qkv.weight"], "sdnb.observe"),
        (["anything"], "no checkpoint"),
    ],
)
def test_what_a_file_is_instead_is_said(names, said, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(1) for name in names}, path)
    with pytest.raises(LoadError, match=said):
        sdnb.load(str(path))


def test_a_model_of_other_levels_is_not_taken_for_its_family(changed):
    def mark(tensors):
        tensors["edm_vpred.sigma_max"] = torch.ones(1)

    with pytest.raises(LoadError, match="EDM"):
        sdnb.load(changed(mark))


def test_a_pickle_is_read_only_where_that_is_asked_for(small, tmp_path):
    # given
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load_file(small), "global_step": 7}, path)

    # when
    with pytest.raises(LoadError, match="allow_pickle"):
        sdnb.load(str(path))
    read = sdnb.load(str(path), allow_pickle=True)

    # then
    theirs = sdnb.load(str(small)).components
    assert torch.equal(read.components.unet.conv_in.weight, theirs.unet.conv_in.weight)


class Malice:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_a_hostile_pickle_does_nothing(tmp_path):
    path = tmp_path / "hostile.ckpt"
    torch.save({"state_dict": Malice()}, path)
    with pytest.raises(LoadError, match=r"hostile\.ckpt"):
        sdnb.load(str(path), allow_pickle=True)


def test_a_checkpoint_without_a_vae_takes_one_from_elsewhere(changed, small, tmp_path):
    # given
    vae = {
        name.removeprefix("first_stage_model."): tensor
        for name, tensor in load_file(small).items()
        if name.startswith("first_stage_model.")
    }
    save_file(vae, tmp_path / "vae.safetensors")

    def drop(tensors):
        for name in [name for name in tensors if name.startswith("first_stage_model.")]:
            del tensors[name]

    bare = changed(drop)

    # when
    with pytest.raises(LoadError, match="vae="):
        sdnb.load(bare)
    whole = sdnb.load(bare, vae=str(tmp_path / "vae.safetensors")).components

    # then
    theirs = sdnb.load(str(small)).components.vae.state_dict()
    assert all(torch.equal(weight, theirs[name]) for name, weight in whole.vae.state_dict().items())
    other = sdnb.load(bare, vae=str(small)).components.vae.state_dict()
    assert all(torch.equal(other[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("metadata", "key", "prediction"),
    [
        (None, None, "epsilon"),
        ({"modelspec.prediction_type": "v"}, None, "v_prediction"),
        ({"modelspec.prediction_type": "epsilon"}, None, "epsilon"),
        (None, "v_pred", "v_prediction"),
    ],
)
def test_what_the_network_predicts_is_what_the_file_says(changed, metadata, key, prediction):
    def mark(tensors):
        tensors.update({key: torch.zeros(0)} if key else {})

    pipe = sdnb.load(changed(mark, metadata=metadata))
    assert pipe.components.prediction == prediction


def test_zero_terminal_noise_is_told_by_its_mark(changed, small):
    def mark(tensors):
        tensors.update({"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)})

    marked, plain = sdnb.load(changed(mark)), sdnb.load(str(small))
    assert marked.components.noise_schedule.sigma_max > 1000
    assert plain.components.noise_schedule.sigma_max == pytest.approx(14.6, abs=0.1)


class Stub(torch.nn.Module):
    """Answers like a network that predicts one thing or the other."""

    dtype = torch.float32

    def __init__(self, share, inputs=4):
        super().__init__()
        self.share = share
        self.config = type(
            "Config", (), {"in_channels": inputs, "out_channels": 4, "cross_attention_dim": 8}
        )

    def forward(self, x, _t, _told):
        picture = torch.randn(x[:, :4].shape, generator=torch.Generator().manual_seed(1))
        sample = self.share * x[:, :4] + (1 - self.share) * picture
        return type("Output", (), {"sample": sample})


@pytest.mark.parametrize("inputs", [4, 9])
def test_a_network_that_answers_with_the_noise_predicts_it(inputs):
    assert answers_with_noise(Stub(0.95, inputs))
    assert not answers_with_noise(Stub(0.05, inputs))
    assert not answers_with_noise(Stub(-0.1, inputs))


def test_the_embedded_model_does_not_answer_with_the_noise(pipe):
    assert not answers_with_noise(pipe.components.unet)


def test_a_part_that_the_network_has_no_place_for_is_refused(changed):
    name = "model.diffusion_model.something.weight"
    with pytest.raises(LoadError, match="not known"):
        sdnb.load(changed(lambda tensors: tensors.update({name: torch.zeros(1)})))


def test_a_tensor_that_lies_the_other_way_is_refused(changed):
    name = "model.diffusion_model.middle_block.1.transformer_blocks.0.ff.net.2.weight"

    def turn(tensors):
        tensors[name] = tensors[name].T.contiguous()

    with pytest.raises(LoadError, match=r"ff\.net\.2\.weight"):
        sdnb.load(changed(turn))


@pytest.mark.parametrize(
    "gone", ["model.diffusion_model.", "first_stage_model.encoder.", ".attn2.", ".mlp.fc1."]
)
def test_a_file_without_a_part_of_a_network_is_refused_by_its_name(changed, gone):
    def drop(tensors):
        for name in [name for name in tensors if gone in name]:
            del tensors[name]

    with pytest.raises(LoadError, match=r"changed\.safetensors"):
        sdnb.load(changed(drop))


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.input_blocks.0.0.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
)
def test_a_tensor_without_its_dimensions_is_refused_by_its_files_name(changed, name):
    with pytest.raises(LoadError, match=r"changed\.safetensors"):
        sdnb.load(changed(lambda tensors: tensors.update({name: torch.zeros(3)})))


def test_the_names_of_the_first_fine_tunes_are_known(changed, small):
    def rename(tensors):
        for name in [name for name in tensors if ".text_model." in name]:
            tensors[name.replace(".text_model.", ".")] = tensors.pop(name)

    ours = sdnb.load(changed(rename)).components.texts[0].network.state_dict()
    theirs = sdnb.load(str(small)).components.texts[0].network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_an_encoder_of_sd2_is_read_with_and_without_the_layer_nobody_reads(tmp_path):
    # given
    full = save_original(make(BUILDS["sd2"]), BUILDS["sd2"], tmp_path / "full.safetensors")
    tensors = {name: each for name, each in load_file(full).items() if ".23." not in name}
    save_file(tensors, tmp_path / "cut.safetensors")

    # when
    first, second = (sdnb.load(str(tmp_path / f"{name}.safetensors")) for name in ("full", "cut"))

    # then
    depths = [pipe.components.texts[0].network.config.num_hidden_layers for pipe in (first, second)]
    assert len(tensors) < len(load_file(full))
    assert depths == [23, 23]


def test_a_vae_in_the_layout_of_diffusers_is_taken(small, tmp_path):
    # given
    vae = make(BUILDS["sd1"]).vae
    vae.save_pretrained(tmp_path)

    # when
    swapped = sdnb.load(str(small)).swapped(
        vae=str(tmp_path / "diffusion_pytorch_model.safetensors")
    )

    # then
    ours, theirs = swapped.components.vae.state_dict(), vae.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_vae_of_a_checkpoint_of_another_family_is_refused(small, tmp_path):
    other = save_original(make(BUILDS["sdxl"]), BUILDS["sdxl"], tmp_path / "xl.safetensors")
    with pytest.raises(LoadError, match="another family"):
        sdnb.load(str(small)).swapped(vae=str(other))


def test_a_pickle_of_more_than_tensors_is_said_to_be_one(tmp_path):
    path = tmp_path / "training.ckpt"
    torch.save({"state_dict": {}, "callbacks": Malice()}, path)
    with pytest.raises(LoadError, match="more than tensors"):
        sdnb.load(str(path), allow_pickle=True)


def test_a_pickle_of_before_zip_files_is_read(small, tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load_file(small)}, path, _use_new_zipfile_serialization=False)
    assert sdnb.load(str(path), allow_pickle=True).components.family.name == "SD1"
