from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file

from sdnb.training.card import read_record
from sdnb.training.dataset import render_numbers
from sdnb.training.recipe import make_model


def test_the_recipe_makes_a_model_that_plain_diffusers_runs(made):
    # given
    from diffusers import StableDiffusionPipeline

    _, folder = made
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    # when
    images = pipeline("a red circle", num_inference_steps=2, height=128, width=128).images
    # then
    assert images[0].size == (128, 128)
    assert pipeline.unet.dtype == pipeline.text_encoder.dtype == torch.float32
    assert not pipeline.scheduler.config.clip_sample
    assert pipeline.scheduler.config.set_alpha_to_one
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert (folder / "words.json").exists()
    assert "Measured" in (folder / "MODEL_CARD.md").read_text()


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
    stages = ("autoencoder", "reading", "diffusion", "decoder")
    before = [(recipe.out / f"{stage}.csv").read_text() for stage in stages]
    # when
    make_model(recipe)
    # then
    assert [(recipe.out / f"{stage}.csv").read_text() for stage in stages] == before


def test_a_recipe_goes_on_from_a_finished_model_and_keeps_its_latents(made, tmp_path):
    # given
    recipe, folder = made
    np.save(tmp_path / "pictures.npy", render_numbers(range(16)))
    # when
    further = make_model(replace(recipe, out=tmp_path, start=folder, budget=0.02))
    old, new = (load_file(f / "vae/diffusion_pytorch_model.safetensors") for f in (folder, further))
    # then
    encoders = [name for name in old if name.startswith(("encoder", "quant_conv"))]
    assert all(torch.equal(old[name], new[name]) for name in encoders)
    assert read_record(further).diffusion_steps > read_record(folder).diffusion_steps
    assert not any(str(folder) in path.read_text() for path in further.rglob("*.json"))
    name = "text_encoder/model.safetensors"
    assert (further / name).read_bytes() == (folder / name).read_bytes()
    name = "unet/diffusion_pytorch_model.safetensors"
    assert (further / name).read_bytes() != (folder / name).read_bytes()
