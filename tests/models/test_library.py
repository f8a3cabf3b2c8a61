"""What is listed of a folder of checkpoints, found by name in it, and how files are hashed."""

import os
from hashlib import sha256
from shutil import copytree

import pytest
import torch
from safetensors.torch import save_file

import sdnb
from sdnb.errors import InvalidField, LoadError, UnknownName
from sdnb.models import hashing
from sdnb.models.checkpoint import locate
from sdnb.models.hashing import cache_path, hash_checkpoint, known_hash
from tests.models.families.checkpoints import BUILDS, make, save_original


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder such as other tools keep."""
    place = tmp_path_factory.mktemp("made")
    (place / "old").mkdir()
    save_original(make(BUILDS["sd1"]), BUILDS["sd1"], place / "photon.safetensors")
    save_original(make(BUILDS["sdxl"]), BUILDS["sdxl"], place / "old" / "dream.safetensors")
    make(BUILDS["sd2"]).save_pretrained(place / "second")
    torch.save({}, place / "bad.ckpt")
    save_file({"x.lora_up.weight": torch.zeros(1)}, place / "style.safetensors")
    (place / "notes.txt").write_text("mine")
    return place


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """Give a folder with the same files, named in the environment; hashes are kept apart."""
    monkeypatch.setenv("SDNB_CACHE", str(tmp_path / "cache"))
    place = copytree(made, tmp_path / "models", copy_function=os.link)
    monkeypatch.setenv("SDNB_MODELS", os.pathsep.join([str(tmp_path / "nowhere"), str(place)]))
    return place


def lengthen(file):
    """Put another file in the place of this one, which other folders have too."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content + b" ")


def test_a_folder_is_listed_without_loading(folder):
    # when
    found = {each.name: each for each in sdnb.checkpoints(folder)}

    # then
    families = {name: (each.family, each.size) for name, each in found.items() if each.family}
    assert families == {"photon": ("SD1", 512), "dream": ("SDXL", 1024), "second": ("SD2", 64)}
    assert "pickle" in found["bad"].why_not
    assert "LoRA" in found["style"].why_not
    assert found["photon"].bytes == (folder / "photon.safetensors").stat().st_size
    assert set(found) == {"photon", "dream", "second", "bad", "style"}


def test_without_a_folder_the_shipped_model_and_the_model_folders_are_listed(folder):
    names = [each.name for each in sdnb.checkpoints()]
    assert names[0] == "tiny"
    assert {"photon", "dream", "second"} < set(names)


def test_the_list_draws_itself_and_escapes_names(folder):
    (folder / "photon.safetensors").rename(folder / "<b>photon.safetensors")
    shown = sdnb.checkpoints(folder)
    assert "&lt;b&gt;photon" in shown._repr_html_()
    assert "<b>photon" not in shown._repr_html_()
    assert "<b>photon" in repr(shown)
    (folder / "empty").mkdir()
    assert "No checkpoints" in repr(sdnb.checkpoints(folder / "empty"))


def test_a_folder_that_is_not_there_is_said_so():
    with pytest.raises(InvalidField, match="no such folder"):
        sdnb.checkpoints("no/such/folder")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("photon", "photon.safetensors"),
        ("photon.safetensors", "photon.safetensors"),
        ("dream", "old/dream.safetensors"),
        ("second", "second"),
    ],
)
def test_a_bare_name_is_found_in_the_model_folders(folder, name, file):
    assert locate(name) == folder / file


def test_of_two_with_one_name_the_first_folders_is_meant_and_a_pickle_last(folder, monkeypatch):
    # given
    other = folder.parent / "more"
    other.mkdir()
    for name in ("photon.safetensors", "photon.pth", "bad.safetensors"):
        (other / name).write_bytes((folder / "photon.safetensors").read_bytes())

    # when
    monkeypatch.setenv("SDNB_MODELS", os.pathsep.join([str(folder), str(other)]))

    # then
    assert locate("photon") == folder / "photon.safetensors"
    assert locate("bad") == other / "bad.safetensors"
    assert locate("bad.ckpt") == folder / "bad.ckpt"


def test_what_cannot_be_read_in_a_model_folder_hides_nothing_else(folder, monkeypatch):
    (folder / "round").symlink_to(folder)
    (folder / "gone.safetensors").symlink_to(folder / "nowhere")
    (folder / "empty").mkdir()
    (folder / "empty" / "model_index.json").write_text('{"_class_name": ["x"]}')
    monkeypatch.setenv("SDNB_MODELS", os.pathsep.join(["~nobody-here/models", str(folder)]))
    names = [each.name for each in sdnb.checkpoints()]
    assert names.count("photon") == 1
    assert "empty" in names
    assert locate("photon") == folder / "photon.safetensors"


def test_a_mistyped_file_is_not_looked_for_on_the_hub():
    with pytest.raises(UnknownName):
        locate("models/photonn.safetensors")


def test_a_name_with_a_slip_is_told_the_nearest(folder):
    with pytest.raises(UnknownName, match="did you mean photon"):
        locate("foton")


def test_a_folder_without_a_checkpoint_is_said_so(tmp_path):
    with pytest.raises(LoadError, match=r"model_index\.json"):
        locate(str(tmp_path))


def test_a_hash_is_that_of_the_file_and_is_kept(folder, monkeypatch):
    # given
    file = folder / "photon.safetensors"
    content = file.read_bytes()

    # when
    assert known_hash(file) is None
    assert hash_checkpoint(file) == sha256(content).hexdigest()
    monkeypatch.setattr(hashing, "file_digest", None)  # it is not taken again

    # then
    assert hash_checkpoint(file) == sha256(content).hexdigest()
    assert repr(sdnb.checkpoints(folder)).count(sha256(content).hexdigest()[:10]) == 1


def test_where_no_hash_can_be_kept_it_is_taken_once_in_a_process(folder, monkeypatch, tmp_path):
    # given
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SDNB_CACHE", str(tmp_path / "file"))
    file = folder / "photon.safetensors"

    # when
    taken = hash_checkpoint(file)
    monkeypatch.setattr(hashing, "file_digest", None)  # it is not taken again

    # then
    assert hash_checkpoint(file) == taken == known_hash(file)


def test_another_content_is_another_hash(folder):
    file = folder / "photon.safetensors"
    before = hash_checkpoint(file)
    lengthen(file)
    assert known_hash(file) is None
    assert hash_checkpoint(file) != before


def test_a_folder_is_hashed_by_its_weights(folder):
    before = hash_checkpoint(folder / "second")
    (folder / "second" / "README.md").write_text("hello")
    assert hash_checkpoint(folder / "second") == before
    lengthen(folder / "second" / "vae" / "diffusion_pytorch_model.safetensors")
    assert hash_checkpoint(folder / "second") != before


@pytest.mark.parametrize("kept", ["{", "[1]", None])
def test_kept_hashes_that_cannot_be_read_or_written_cost_only_time(folder, kept):
    # given
    path = cache_path()
    if kept is None:
        path.parent.write_text("a file where the folder should be")
    else:
        path.parent.mkdir()
        path.write_text(kept)

    # then
    file = folder / "photon.safetensors"
    assert hash_checkpoint(file) == sha256(file.read_bytes()).hexdigest()


def test_a_result_names_the_checkpoint_by_its_hash(folder):
    pipe = sdnb.load("photon")
    result = pipe.run("x", seed=1, steps=1, width=64, height=64)
    assert result.checkpoint_sha256 == hash_checkpoint(folder / "photon.safetensors")
    assert pipe.info()["hash"] == result.checkpoint_sha256[:10]
