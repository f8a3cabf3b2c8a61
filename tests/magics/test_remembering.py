"""What a notebook draws is kept, unless that is off, and found from the next one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sdnb.comparison.compare import Comparison
from sdnb.errors import InvalidField, SdnbError
from sdnb.magics.session import Session
from sdnb.records.budget import kept_budget
from sdnb.records.history import history
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
    assert "history: up to 2000 MB" in repr(notebook.run("%sd set --history on"))
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


def test_a_size_that_is_not_kept_deletes_nothing(notebook: Notebook) -> None:
    # given
    for _ in range(3):
        notebook.run("%sd a cat")
    # when
    said = repr(notebook.run("%sd set --history 0.0001"))
    notebook.run("%sd a cat")
    # then
    assert "up to 2000 MB" in said and "--keep" in said
    assert len(notebook.run("%sd history")) == 4
    assert history.budget is None


def test_a_size_that_is_kept_lets_the_oldest_go(notebook: Notebook) -> None:
    # given
    for _ in range(3):
        notebook.run("%sd a cat")
    # when
    assert "up to 0.0001 MB" in repr(notebook.run("%sd set --history 0.0001 --keep"))
    notebook.run("%sd a dog")
    # then
    assert [entry.prompt for entry in notebook.run("%sd history")] == ["a dog"]


def test_an_interrupt_while_it_is_kept_leaves_the_picture(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdnb.records.history.write_picture", interrupted)
    # when
    result = notebook.run("%sd a cat")
    # then
    assert notebook.session.result is result is notebook.names["_sd"]
    assert result.notices[-1] == "not kept in the history: interrupted"


def test_a_picture_is_the_session_s_before_it_is_kept(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdnb.magics.drawing.keep_result", interrupted)
    # when
    with pytest.raises(KeyboardInterrupt):
        notebook.run("%sd a cat --seed 5")
    # then
    assert notebook.session.last_result().seeds == (5,)


def test_cells_that_are_computed_later_are_kept_too(real: Notebook) -> None:
    # given: an interrupt in the second step of the longer run
    real.run(
        "interrupts = iter([False, False, True])\n"
        "def stop(event):\n"
        "    if next(interrupts, False): raise KeyboardInterrupt"
    )
    real.run("%sd a red circle --on step:stop --seed 7 --compare steps=1,3")
    assert [entry.cell for entry in real.run("%sd history")] == [("1",)]
    # when
    real.run("%sd resume")
    # then
    assert [entry.cell for entry in real.run("%sd history")] == [("3",), ("1",)]


def test_cells_that_ended_before_an_error_are_kept(
    real: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: rounds that end with a bug once a cell is there
    rounds = Comparison.rounds

    def failing(self: Comparison) -> Iterator[object]:
        for each in rounds(self):
            yield each
            if any(self.results):
                raise ZeroDivisionError

    monkeypatch.setattr(Comparison, "rounds", failing)
    # when
    with pytest.raises(ZeroDivisionError):
        real.run("%sd a red circle --seed 7 --compare steps=1,3")
    # then
    assert [entry.cell for entry in real.run("%sd history")] == [("1",)]


def test_a_comparison_is_kept_cell_by_cell(real: Notebook) -> None:
    real.run("%sd a cat --seed 3 --steps 2 --compare sampler=ddim,heun")
    cells = {entry.cell for entry in real.run("%sd history")}
    assert cells == {("ddim",), ("heun",)}


def test_an_entry_that_is_not_there_says_so(notebook: Notebook) -> None:
    with pytest.raises(InvalidField, match="no such entry"):
        notebook.run("%sd recall #99")
