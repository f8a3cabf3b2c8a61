"""Fixtures that every folder of tests may use."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

ROOT = Path(__file__).parent.parent


def modules_of_arrays() -> Iterator[str]:
    """Modules whose annotations name shapes."""
    for path in ROOT.glob("sdnb/**/*.py"):
        text = path.read_text(encoding="utf-8")
        if "jaxtyping" in text or "sdnb.shapes" in text:
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


# Shapes are checked in every call, before anything of sdnb is imported. In other modules mypy has
# seen all there is to check, and a call that is watched costs thirty microseconds more.
install_import_hook(list(modules_of_arrays()), "beartype.beartype")

import sdnb  # noqa: E402
from sdnb.events import Hooks  # noqa: E402

# No hub is asked, here and in kernels; read when the library is imported, with the first test.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session", autouse=True)
def history_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests draw out of the user's history, also in the kernels that they start."""
    folder = tmp_path_factory.mktemp("data")
    before = os.environ.get("SDNB_DATA")
    os.environ["SDNB_DATA"] = str(folder)
    yield folder / "history"
    if before is None:
        del os.environ["SDNB_DATA"]
    else:
        os.environ["SDNB_DATA"] = before


@pytest.fixture(scope="session", autouse=True)
def english(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Speak English whatever the user's locale and settings say, also in kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("SDNB_CONFIG", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def listening() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def tiny():
    """Load the embedded model once; pipelines hold no state between runs."""
    return sdnb.load("tiny")


@pytest.fixture(scope="session")
def pipe(tiny):
    """Give the embedded model a U-Net and a VAE of random weights, smaller by far.

    What is tested is mostly what happens around networks, and these answer ten times as fast.
    Their pictures show nothing: where that matters, ask for ``tiny``.
    """
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from sdnb.pipeline import Pipeline

    parts = tiny.components
    one_level = {
        "block_out_channels": (16,),
        "down_block_types": ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel.from_config(parts.unet.config, **one_level)
        vae = AutoencoderKL.from_config(parts.vae.config, block_out_channels=(8, 16, 24, 32))
    for network in (unet, vae):
        network.eval().requires_grad_(False)
    unet.conv_out.weight.mul_(0.1)  # it answers nearly x, as is best for Gaussian data
    return Pipeline(replace(parts, unet=unet, vae=vae))


@pytest.fixture
def poisoned(pipe):
    """Give hooks with which the network itself answers NaN in one step."""
    state = {"is_poisoned": False}

    def answer(_module, _inputs, output):
        return output * float("nan") if state["is_poisoned"] else None

    def at(step):
        def note(event):
            state["is_poisoned"] = event.index == step

        return Hooks(on_model=(note,))

    handle = pipe.components.unet.conv_out.register_forward_hook(answer)
    yield at
    handle.remove()
