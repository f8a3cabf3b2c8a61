"""A checkpoint of another family's true architecture, small, with random weights."""

import pytest

import sdnb
from tests.models.families.checkpoints import BUILDS, make


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory):
    """Load a network of SDXL's kind: two text encoders, pictures of 64x64."""
    folder = tmp_path_factory.mktemp("sdxl")
    make(BUILDS["sdxl"]).save_pretrained(folder)
    return sdnb.load(str(folder))
