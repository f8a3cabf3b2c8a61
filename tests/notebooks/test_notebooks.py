"""Every notebook runs from top to bottom in a real kernel, and its pictures say what they show."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

pytestmark = pytest.mark.notebook

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def pictures(notebook: NotebookNode) -> list[str]:
    """The ``<img>`` tags in a notebook's outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pages = [output.data.get("text/html", "") for output in outputs if "data" in output]
    return [tag for page in pages for tag in re.findall(r"<img\b[^>]*>", page)]


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_saved_notebook_shows_its_pictures_with_alt_text(path: Path) -> None:
    tags = pictures(nbformat.read(path, as_version=4))

    assert tags
    assert all(re.search(r'\balt="[^"]+"', tag) for tag in tags)
