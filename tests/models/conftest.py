"""LoRAs for the embedded model, to be written to files."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.models.lora_files import RANK, kohya


@pytest.fixture
def networks(tiny):
    return {"unet": tiny.components.unet, "text_encoder": tiny.components.texts[0].network}


@pytest.fixture
def adapted(networks):
    """Return random factors of a few layers of each kind: name of layer -> down, up."""

    def make(seed):
        generator = torch.Generator().manual_seed(seed)
        factors = {}
        for network, modules in networks.items():
            layers = [
                (path, module.weight)
                for path, module in modules.named_modules()
                if isinstance(module, nn.Linear | nn.Conv2d)
            ]
            for path, weight in layers[:: 3 if network == "unet" else 1]:
                down = torch.randn(RANK, *weight.shape[1:], generator=generator) / 8
                ones = [1] * (weight.dim() - 2)
                up = torch.randn(len(weight), RANK, *ones, generator=generator) / 8
                factors[network, path] = down, up
        return factors

    return make


@pytest.fixture
def lora(adapted, tmp_path):
    """Write a LoRA in kohya's layout; its path."""
    save_file(kohya(adapted(0)), tmp_path / "style.safetensors")
    return f"{tmp_path}/style.safetensors"
