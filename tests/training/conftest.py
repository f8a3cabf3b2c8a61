import numpy as np
import pytest

from sdnb.training.dataset import render_numbers
from sdnb.training.recipe import Recipe, make_model


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A recipe, and the model it made in a few steps at a tiny size."""
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
