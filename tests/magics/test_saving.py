"""What was drawn last is saved as pictures, or as a workflow for ComfyUI."""

import json
from pathlib import Path

import pytest

import sdnb
from sdnb.errors import InvalidField, UnknownName
from sdnb.magics.complete import proposals
from tests.magics.conftest import Notebook
from tests.records.documented_nodes import check


def test_the_last_request_is_saved_as_a_workflow(notebook: Notebook, tmp_path: Path) -> None:
    # given
    notebook.run("%sd a red circle --seed 7 --width 64 --height 64 --steps 3 --sampler euler")
    # when
    shown = notebook.run(f"%sd save {tmp_path}/a.json --workflow")
    # then
    check(json.loads((tmp_path / "a.json").read_text()))
    request = sdnb.read(tmp_path / "a.json").request
    assert (request.prompt, request.seed, request.steps) == ("a red circle", 7, 3)
    assert str(tmp_path / "a.json") in repr(shown)


def test_what_cannot_match_is_shown(notebook: Notebook, tmp_path: Path, monkeypatch) -> None:
    # given
    monkeypatch.chdir(tmp_path)
    notebook.run("%sd a [red:blue:0.5] circle --seed 7 --width 64 --height 64")
    # when
    shown = notebook.run("%sd save --workflow")
    # then
    assert (tmp_path / "workflow.json").is_file()
    assert "words that change on the way here are text there" in repr(shown)


@pytest.mark.parametrize("line", ["%sd save a b", "%sd save --workflow a b", "%sd save --all"])
def test_save_takes_one_place(notebook: Notebook, line: str) -> None:
    notebook.run("%sd a --seed 7")
    with pytest.raises((InvalidField, UnknownName), match="save"):
        notebook.run(line)


def test_the_flag_is_proposed() -> None:
    assert proposals("save --w", {}) == ["--workflow"]
