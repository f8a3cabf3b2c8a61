"""Every notebook runs from top to bottom in a real kernel, and its pictures say what they show."""

import re
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

from sdnb.plots.figure import PLOTLY

pytestmark = pytest.mark.notebook

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

MOST_MB = 1500
"""What a notebook may take where 2 GB are given, as on Binder."""

MOST_BYTES = 2_000_000

ASK_PEAK = """
import re
from pathlib import Path
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1000)
"""
"""Asks the kernel for its peak memory in MB, where Linux knows it."""

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


@pytest.mark.timeout(900)  # 09_training trains for minutes, longer beside other tests
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_top_to_bottom(
    path: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell(ASK_PEAK))

    began = perf_counter()
    NotebookClient(
        notebook,
        timeout=600,  # seconds a cell
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()

    seconds, peak = perf_counter() - began, float(notebook.cells.pop().outputs[0].text)
    record_property("notebook", (path.stem, seconds, peak, path.stat().st_size / 1000))
    assert pictures(notebook)
    assert unseen(notebook) == []
    assert peak < MOST_MB


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_saved_notebook_shows_its_pictures_with_alt_text(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    tags = pictures(notebook)

    assert tags
    assert all(re.search(ALT, tag) for tag in tags)
    assert unseen(notebook) == []
    assert path.stat().st_size <= MOST_BYTES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_lesson_ends_with_exercises_whose_solutions_are_folded(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    folded = [
        number
        for number, cell in enumerate(cells)
        if cell.cell_type == "code" and cell.metadata.get("jupyter", {}).get("source_hidden")
    ]

    assert 3 <= len(folded) <= 5
    assert all(cells[number - 1].cell_type == "markdown" for number in folded)
    assert any("## Exercises" in cell.source for cell in cells)


def test_the_readme_names_every_lesson() -> None:
    readme = (ROOT / "README.md").read_text()
    lessons = [*NOTEBOOKS, *(ROOT / "notebooks/es").glob("*.ipynb")]

    assert [path.stem for path in lessons if f"({path.relative_to(ROOT)})" not in readme] == []


def test_a_cell_that_never_ran_and_a_plot_without_a_picture_are_found() -> None:
    plot = new_output("display_data", {PLOTLY: {}, "text/html": "<div></div>"})
    ran = new_code_cell("plot()", execution_count=1, outputs=[plot])

    found = unseen(new_notebook(cells=[new_code_cell("1 + 1"), ran]))

    assert found == ["not run: 1 + 1", "no picture: <div></div>"]
