"""Every notebook runs from top to bottom in a real kernel, and its pictures say what they show."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from sdnb.plots.figure import PLOTLY

pytestmark = pytest.mark.notebook

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

ALT = r'<img\b[^>]*\balt="[^"]+"'


def pictures(notebook: NotebookNode) -> list[str]:
    """The ``<img>`` tags in a notebook's outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pages = [output.data.get("text/html", "") for output in outputs if "data" in output]
    return [tag for page in pages for tag in re.findall(r"<img\b[^>]*>", page)]


def unseen(notebook: NotebookNode) -> list[str]:
    """What a reader of the saved notebook misses: cells that never ran, plots without HTML."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    not_run = [f"not run: {cell.source}" for cell in cells if not cell.execution_count]
    bundles = [output.data for cell in cells for output in cell.outputs if "data" in output]
    pages = [bundle.get("text/html", "") for bundle in bundles if PLOTLY in bundle]
    return not_run + [f"no picture: {page}" for page in pages if not re.search(ALT, page)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_top_to_bottom(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)

    NotebookClient(
        notebook,
        timeout=120,
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()

    assert pictures(notebook)
    assert unseen(notebook) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_saved_notebook_shows_its_pictures_with_alt_text(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    tags = pictures(notebook)

    assert tags
    assert all(re.search(ALT, tag) for tag in tags)
    assert unseen(notebook) == []


def test_a_cell_that_never_ran_and_a_plot_without_a_picture_are_found() -> None:
    plot = new_output("display_data", {PLOTLY: {}, "text/html": "<div></div>"})
    ran = new_code_cell("plot()", execution_count=1, outputs=[plot])

    found = unseen(new_notebook(cells=[new_code_cell("1 + 1"), ran]))

    assert found == ["not run: 1 + 1", "no picture: <div></div>"]
