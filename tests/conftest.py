"""Fixtures that every folder of tests may use."""

import pytest

import sdnb
from sdnb.events import Hooks


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
