"""A picture is recalled into the next cell, which draws it again."""

import json
from pathlib import Path

import pytest
from PIL import Image

from sdnb.errors import InvalidField, UnknownName
from tests.magics.conftest import Notebook
from tests.records.workflows import image_to_image


@pytest.fixture
def next_cells(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is written into next cells."""
    written: list[str] = []
    monkeypatch.setattr(notebook.shell, "set_next_input", written.append)
    return written


def test_a_picture_comes_back_by_the_cell_that_recall_fills_in(
    real: Notebook, next_cells: list[str], tmp_path: Path
) -> None:
    # given
    real.run("%%sd --seed 7 --steps 3 --sampler euler\na red circle\nnegative: snow")
    real.run(f"%sd save {tmp_path}")
    real.names["_sd"] = None
    # when
    recalled = real.run(f"%sd recall {tmp_path}/sdnb-7.png")
    result = real.run(next_cells[0])
    # then
    assert result.images[0].tobytes() == Image.open(tmp_path / "sdnb-7.png").tobytes()
    assert result.request == recalled.request
    assert next_cells[0].endswith("\na red circle\n---\nsnow")


def test_a_picture_with_a_lora_is_filled_in_as_a_cell(
    real: Notebook, next_cells: list[str], tmp_path: Path
) -> None:
    # given
    real.run("%sd a red circle --seed 7 --steps 3 --lora ink:0.8")
    real.run(f"%sd save {tmp_path}/out.png")
    # when
    recalled = real.run(f"%sd recall {tmp_path}/out.png")
    result = real.run(next_cells[0])
    # then
    assert next_cells[0].startswith("%%sd ")
    assert "--lora ink:0.8" in next_cells[0]
    assert result.request == recalled.request


def test_what_no_cell_can_say_is_filled_in_as_python(
    real: Notebook, next_cells: list[str], tmp_path: Path
) -> None:
    # given
    Image.new("RGB", (32, 32), "red").save(tmp_path / "in.png")
    real.run(f"%sd a circle --seed 7 --steps 4 --image {tmp_path}/in.png --denoise 0.5")
    real.run(f"%sd save {tmp_path}/out.webp")
    # when
    real.run(f"%sd recall {tmp_path}/out.webp")
    result = real.run(next_cells[0])
    # then
    assert next_cells[0].startswith("import sdnb")
    picture = Image.open(tmp_path / "out.webp").convert("RGB")
    assert result.images[0].tobytes() == picture.tobytes()


@pytest.mark.parametrize("line", ["%sd recall", "%sd recall a.png b.png", "%sd recall --all"])
def test_recall_takes_one_file(notebook: Notebook, line: str) -> None:
    with pytest.raises((InvalidField, UnknownName), match="recall"):
        notebook.run(line)


def test_a_workflow_is_filled_in_with_its_pictures(
    real: Notebook, next_cells: list[str], tmp_path: Path
) -> None:
    # given
    Image.new("RGB", (32, 32), "red").save(tmp_path / "in.png")
    nodes = image_to_image()
    nodes["3"]["inputs"] |= {"steps": 4, "cfg": 1}
    (tmp_path / "a.json").write_text(json.dumps(nodes))
    # when
    recalled = real.run(f"%sd recall {tmp_path}/a.json --folder {tmp_path}")
    result = real.run(next_cells[0])
    # then
    assert result.request.start == recalled.request.start
    assert (result.seeds, result.images[0].size) == ((77,), (32, 32))


def test_recall_of_a_file_that_is_not_there_says_so(notebook: Notebook) -> None:
    with pytest.raises(InvalidField, match="no such file"):
        notebook.run("%sd recall nowhere.png")
