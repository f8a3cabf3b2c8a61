"""Loading, listing and unloading checkpoints from a cell."""

import weakref
from pathlib import Path

import pytest

import sdnb
from sdnb.errors import InvalidField, LoadError, UnknownName
from sdnb.magics.session import load_pipeline
from sdnb.models.model_folders import VARIABLE, model_folders
from tests.magics.conftest import Notebook


@pytest.fixture
def asked(notebook: Notebook) -> list[tuple[str, dict[str, object]]]:
    """Give what the session was asked to load, with its options."""
    calls, load = [], notebook.session._load

    def remember(reference, **options):
        calls.append((reference, options))
        return load(reference)

    notebook.session._load = remember
    return calls


def test_options_of_a_load_are_handed_on(notebook, asked) -> None:
    notebook.run('%sd load --vae "my vae.safetensors" other --dtype bfloat16 --allow-pickle')
    options = {"vae": "my vae.safetensors", "dtype": "bfloat16", "allow_pickle": True}
    assert asked == [("other", options)]


def test_a_loaded_checkpoint_is_not_loaded_again_for_the_next_cell(notebook, asked) -> None:
    notebook.run("%sd load other --device cpu")
    notebook.run("%sd a cat")
    assert asked == [("other", {"device": "cpu"})]


def test_loading_again_takes_the_new_options(notebook, asked) -> None:
    notebook.run("%sd load other")
    notebook.run("%sd load other --dtype float16")
    assert asked == [("other", {}), ("other", {"dtype": "float16"})]


def test_what_is_loaded_again_takes_the_options_it_had(notebook, asked) -> None:
    notebook.run("%sd load other --dtype float16")
    notebook.run("%sd unload")
    notebook.run("%sd a cat")
    notebook.run("%sd a cat --checkpoint third")
    notebook.run("%sd a cat")
    options = {"dtype": "float16"}
    assert asked == [("other", options), ("other", options), ("third", {}), ("other", options)]


def test_an_unknown_option_of_a_load_lists_the_known(notebook) -> None:
    with pytest.raises(UnknownName, match="--dtype"):
        notebook.run("%sd load other --dtpe float16")


@pytest.fixture
def loading(real: Notebook) -> Notebook:
    """Give a notebook that loads what it draws with, as a user's does."""
    real.session._load = load_pipeline
    return real


def test_unloading_frees_the_networks(loading) -> None:
    # given
    loading.run("%sd a cat --steps 1 --seed 1")
    unet = weakref.ref(loading.session.pipeline().components.unet)
    assert unet() is not None

    # when
    page = loading.run("%sd unload")

    # then
    assert "tiny is unloaded" in repr(page)
    assert unet() is None
    assert loading.run("%sd a cat --steps 1 --seed 1").images == loading.names["_sd"].images


def test_what_still_holds_a_checkpoint_is_said(loading) -> None:
    loading.run("%sd a cat --steps 1 --seed 1")
    loading.names["mine"] = loading.session.pipeline()
    assert "still holds it" in repr(loading.run("%sd unload"))


def test_unloading_nothing_says_so(notebook) -> None:
    assert "nothing is loaded" in repr(notebook.run("%sd unload"))


def test_checkpoints_are_listed(notebook, tmp_path) -> None:
    assert "tiny" in repr(notebook.run("%sd checkpoints"))
    assert "No checkpoints" in repr(notebook.run(f'%sd checkpoints "{tmp_path}"'))
    with pytest.raises(InvalidField, match="subcommand"):
        notebook.run("%sd checkpoints of a race")


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "my models").mkdir()
    return tmp_path / "my models"


def test_a_model_folder_holds_for_the_notebook(notebook, models, settings_folder) -> None:
    page = notebook.run(f'%sd set --models "{models}" --steps 7')
    assert model_folders() == [models]
    assert str(models) in repr(page)
    assert notebook.session.defaults.request.steps == 7
    assert not settings_folder.exists()


def test_a_kept_model_folder_holds_later_too(notebook, models, monkeypatch) -> None:
    notebook.run(f'%sd set --models "{models}" --keep')
    monkeypatch.setenv(VARIABLE, "")
    assert model_folders() == [models]


def test_a_model_folder_that_is_not_there_changes_nothing(notebook, models) -> None:
    with pytest.raises(InvalidField, match="no such model folder"):
        notebook.run("%sd set --steps 9 --models nowhere")
    assert notebook.session.defaults.request.steps == 20
    with pytest.raises(InvalidField, match="needs a folder"):
        notebook.run("%sd set --models --keep")
    assert model_folders() == []


def test_kept_folders_that_cannot_be_read_are_said_so(notebook, models, settings_folder) -> None:
    settings_folder.mkdir()
    (settings_folder / "models.json").write_text("[")
    with pytest.raises(InvalidField, match=r"models\.json"):
        sdnb.load("anything")
    assert sdnb.load("tiny").components.reference == "tiny"


def test_a_broken_file_is_named_and_the_checkpoint_before_stays(loading, tmp_path) -> None:
    (tmp_path / "broken.safetensors").write_text("no weights")
    loading.run("%sd a cat --steps 1 --seed 1")
    with pytest.raises(LoadError, match=r"broken\.safetensors"):
        loading.run(f"%sd load {tmp_path / 'broken.safetensors'}")
    assert loading.session.loaded == "tiny"
