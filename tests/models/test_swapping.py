"""Parts of a loaded checkpoint, swapped for others; the loaded one stays as it is."""

import pytest
import torch
from diffusers import AutoencoderKL

import sdnb
from sdnb.errors import InvalidField, LoadError, SdnbError
from tests.models.families.checkpoints import BUILDS, make, save_original


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swapping")
    made = {name: make(BUILDS[name]) for name in ("sd1", "sd2")}
    for name, pipeline in made.items():
        pipeline.save_pretrained(folder / name)
        save_original(pipeline, BUILDS[name], folder / f"{name}.safetensors")
    with torch.no_grad():
        made["sd1"].vae.decoder.conv_out.bias += 0.25
        made["sd1"].text_encoder.final_layer_norm.bias += 0.25
    made["sd1"].save_pretrained(folder / "other")
    save_original(made["sd1"], BUILDS["sd1"], folder / "other.safetensors")
    return folder


@pytest.fixture(scope="module")
def first(paths):
    return sdnb.load(str(paths / "sd1"))


def drawn(pipe, **fields):
    return pipe.run("a cat", seed=1, steps=2, width=64, height=64, **fields)


@pytest.mark.parametrize("place", ["other", "other/vae", "other.safetensors"])
def test_another_vae_decodes_the_same_latents(first, paths, place):
    # given
    before = drawn(first)

    # when
    swapped = first.swapped(vae=str(paths / place))

    # then
    after = drawn(swapped)
    assert swapped.components.unet is first.components.unet
    assert torch.equal(after.latents, before.latents)
    assert after.images != before.images
    assert drawn(first).images == before.images
    assert drawn(sdnb.load(str(paths / "sd1"), vae=str(paths / place))).images == after.images


@pytest.mark.parametrize("place", ["other", "other.safetensors"])
def test_other_text_encoders_tell_the_same_network_something_else(first, paths, place):
    swapped = first.swapped(text_encoders=str(paths / place))
    assert swapped.components.vae is first.components.vae
    assert not torch.equal(drawn(swapped).latents, drawn(first).latents)


def test_another_scheduler_is_another_prediction_and_other_levels(first):
    # given
    told = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}

    # when
    swapped = first.swapped(scheduler=told)

    # then
    assert swapped.components.prediction == "v_prediction"
    assert swapped.components.noise_schedule.sigma_max > 1000
    assert first.components.prediction == "epsilon"


@pytest.mark.parametrize("place", ["sd2", "sd2.safetensors"])
def test_text_encoders_of_another_family_are_refused(first, paths, place):
    with pytest.raises(LoadError, match="family"):
        first.swapped(text_encoders=str(paths / place))


def test_a_vae_of_another_latent_space_is_refused(first, tmp_path):
    AutoencoderKL(latent_channels=16, norm_num_groups=2, block_out_channels=(4,)).save_pretrained(
        tmp_path
    )
    with pytest.raises(LoadError, match="16 channels"):
        first.swapped(vae=str(tmp_path))


def test_a_record_of_other_parts_is_not_that_of_the_checkpoint(first, paths):
    # given
    swaps = [
        {"vae": str(paths / "other")},
        {"text_encoders": str(paths / "other")},
        {"scheduler": {"prediction_type": "v_prediction"}},
    ]

    # when
    pipes = [first, sdnb.load(str(paths / "sd1"), vae=str(paths / "other"))]
    pipes += [first.swapped(**parts) for parts in swaps]

    # then
    assert len({pipe.components.sha256 for pipe in pipes}) == len(pipes) - 1  # one is made twice
    asked = drawn(pipes[1]).request
    with pytest.raises(InvalidField, match="another checkpoint"):
        first.run(asked)


@pytest.mark.parametrize(
    "scheduler", [{"predicton_type": "epsilon"}, {"num_train_timesteps": "1000"}]
)
def test_a_setting_of_the_noise_that_cannot_be_is_refused(first, scheduler):
    with pytest.raises(SdnbError, match="noise"):
        first.swapped(scheduler=scheduler)


def test_an_unknown_prediction_is_refused(first):
    with pytest.raises(LoadError, match="strange"):
        first.swapped(scheduler={"prediction_type": "strange"})
