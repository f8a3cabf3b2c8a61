"""Another path to the loaded file means the loaded checkpoint; another file does not."""

import shutil

import pytest

import sdnb
from sdnb.errors import InvalidField
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
