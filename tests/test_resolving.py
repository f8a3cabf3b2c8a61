"""Another path to the loaded file means the loaded checkpoint; another file does not."""

import shutil
import threading

import pytest

import sdnb
from sdnb.errors import InvalidField, PipelineBusy
from sdnb.models.checkpoint import locate
from sdnb.resolving import is_loaded

ASKED = {"seed": 3, "steps": 1, "width": 64, "height": 64}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Copy the embedded model into a model folder; its path."""
    shutil.copytree(locate("tiny"), tmp_path / "mine")
    monkeypatch.setenv("SDNB_MODELS", str(tmp_path))
    return tmp_path / "mine"


def test_another_path_to_the_same_file_is_the_loaded_checkpoint(pipe, copied):
    for reference in (str(copied), "mine"):
        result = pipe.run("a cat", checkpoint=reference, **ASKED)
        assert result.request.checkpoint == "tiny"


def test_a_comparison_does_not_load_it_again(pipe, copied, monkeypatch):
    # given
    def load(*_args, **_options):
        raise AssertionError("loaded again")

    monkeypatch.setattr("sdnb.comparison.engine.load", load)

    # when
    comparison = sdnb.compare(pipe, "a cat", checkpoint=["tiny", "mine"], **ASKED)

    # then
    assert all(comparison.results)


def test_another_file_or_an_unknown_name_is_refused(pipe, copied):
    config = copied / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text() + "\n")
    for reference in ("mine", "nobody", "some/repository", str(copied / "unet")):
        with pytest.raises(InvalidField, match="another checkpoint"):
            pipe.start("a cat", checkpoint=reference)


def test_a_checkpoint_with_swapped_parts_is_not_the_one_it_came_from(pipe, copied):
    assert not is_loaded(pipe.swapped(vae="tiny").components, str(copied))


def test_a_file_of_another_size_is_told_without_reading_it(pipe, copied, monkeypatch):
    # given
    weights = next((copied / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes() + b" ")

    def read(_path):
        raise AssertionError("a file of gigabytes was read")

    # when
    monkeypatch.setattr("sdnb.resolving.hash_checkpoint", read)

    # then
    assert not is_loaded(pipe.components, "mine")


def test_what_a_request_names_is_read_in_the_turn_of_the_pipeline(pipe):
    # given
    inside, go_on = threading.Event(), threading.Event()

    def hold():
        with pipe.turn():
            inside.set()
            go_on.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    inside.wait(60)

    # when / then
    try:
        with pytest.raises(PipelineBusy):
            pipe.start("a cat", wait=False, **ASKED)
    finally:
        go_on.set()
        other.join()
    with pipe.turn():  # whoever holds it may start runs
        assert pipe.start("a cat", wait=False, **ASKED)
