from dataclasses import replace

import numpy as np
import pytest
import torch

from sdnb.training.dataset import render_numbers
from sdnb.training.recipe import Recipe, make_model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model made by the whole recipe in a few steps."""
    out = tmp_path_factory.mktemp("recipe")
    np.save(out / "pictures.npy", render_numbers(range(16)))
    recipe = Recipe(
        out=out,
        budget=0.05,
        scenes=16,
        batch=4,
        vae_channels=(8, 8, 8, 16),
        unet_channels=(16, 32),
    )
    return recipe, make_model(recipe)


def test_the_recipe_makes_a_model_that_plain_diffusers_runs(made):
    # given
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(made[1], local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    # when
    images = pipeline("a red circle", num_inference_steps=2, height=128, width=128).images
    # then
    assert images[0].size == (128, 128)
    assert pipeline.unet.dtype == pipeline.text_encoder.dtype == torch.float32
    assert not pipeline.scheduler.config.clip_sample
    assert (made[1] / "words.json").exists()
    assert "Measured" in (made[1] / "MODEL_CARD.md").read_text()


def test_the_latents_are_white(made):
    # given
    recipe, _ = made
    # when
    latents = np.load(next(recipe.out.glob("latents-*.npy")))
    by_channel = np.moveaxis(latents, 1, 0).reshape(4, -1)
    # then
    assert np.allclose(by_channel.mean(1), 0, atol=0.02)
    assert np.allclose(np.cov(by_channel), np.eye(4), atol=0.02)


def test_a_finished_recipe_trains_no_further(made):
    # given
    recipe, _ = made
    before = (recipe.out / "diffusion.csv").read_text()
    # when
    make_model(recipe)
    # then
    assert (recipe.out / "diffusion.csv").read_text() == before


def test_a_recipe_goes_on_from_a_finished_model_and_keeps_its_vae(made, tmp_path):
    # given
    recipe, folder = made
    np.save(tmp_path / "pictures.npy", render_numbers(range(16)))
    # when
    further = make_model(replace(recipe, out=tmp_path, start=folder, budget=0.02))
    # then
    for name in ("vae/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json"):
        assert (further / name).read_bytes() == (folder / name).read_bytes()
    name = "unet/diffusion_pytorch_model.safetensors"
    assert (further / name).read_bytes() != (folder / name).read_bytes()
