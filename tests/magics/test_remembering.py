"""What a notebook draws is kept, unless that is off, and found from the next one."""

from pathlib import Path

import pytest

from sdnb.errors import InvalidField, SdnbError
from sdnb.magics.session import Session
from sdnb.records.budget import kept_budget
from tests.magics.conftest import Notebook


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SDNB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_what_is_drawn_is_found_and_recalled(notebook: Notebook, monkeypatch) -> None:
    # given
    notebook.run("%sd a red cat --seed 5 --sampler heun")
    notebook.run("%sd a dog")
    cells: list[str] = []
    monkeypatch.setattr(notebook.shell, "set_next_input", cells.append)
    # when
    (found,) = notebook.run("%sd history red cat --sampler heun --limit 3")
    recalled = notebook.run(f"%sd recall #{found.number}")
    # then
    assert (found.request.prompt, found.seeds) == ("a red cat", (5,))
    assert recalled.request == found.request
    assert "--seed 5" in cells[0]
    assert len(notebook.run("%sd history")) == 2


def test_it_can_be_turned_off_and_on(notebook: Notebook, data_folder: Path) -> None:
    assert "history: off" in repr(notebook.run("%sd set --history off"))
    notebook.run("%sd a cat")
    assert not data_folder.exists()
    assert "history: up to 100 MB" in repr(notebook.run("%sd set --history 100"))
    notebook.run("%sd a cat")
    assert len(notebook.run("%sd history")) == 1


def test_off_can_be_kept_for_later_notebooks(notebook: Notebook) -> None:
    notebook.run("%sd set --history off --keep")
    assert kept_budget() == 0
    assert Session().history_budget == 0


@pytest.mark.parametrize(
    "line",
    ["--history", "--history maybe", "--history -1", "--history nan", "--history --keep"],
)
def test_it_is_on_off_or_a_number(notebook: Notebook, line: str) -> None:
    with pytest.raises(SdnbError):
        notebook.run(f"%sd set {line}")


def test_a_history_that_cannot_be_written_is_a_notice(
    notebook: Notebook, data_folder: Path
) -> None:
    data_folder.write_text("a file in the way")
    result = notebook.run("%sd a cat")
    assert any("not kept in the history" in notice for notice in result.notices)


def test_a_comparison_is_kept_cell_by_cell(real: Notebook) -> None:
    real.run("%sd a cat --seed 3 --steps 2 --compare sampler=ddim,heun")
    cells = {entry.cell for entry in real.run("%sd history")}
    assert cells == {("ddim",), ("heun",)}


def test_an_entry_that_is_not_there_says_so(notebook: Notebook) -> None:
    with pytest.raises(InvalidField, match="no such entry"):
        notebook.run("%sd recall #99")
