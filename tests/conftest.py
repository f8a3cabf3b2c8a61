"""Fixtures that every folder of tests may use."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import sdnb
from sdnb.events import Hooks

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
def pipe():
    """Load the embedded model once; pipelines hold no state between runs."""
    return sdnb.load("tiny")


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
