"""Renew the Spanish notebooks: ``python -m tests.notebooks.translate [01_quickstart ...]``.

A Spanish notebook holds its own texts; its code cells are the English notebook's. Each text
remembers, by a hash, which English one it translates. A text that is new or was changed is put
into the Spanish notebook in English, under `MARK`, with the translation there was before: write
its Spanish in that place, and call this again. Where nothing is left to translate the notebook
is executed in Spanish, so that plots and panels speak it too, and saved with its outputs.
"""

import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

ENGLISH = Path(__file__).parents[2] / "notebooks"
SPANISH = ENGLISH / "es"

MARK = "**¡Por traducir!**"
"""What stands over a text that is still in English."""

LOCALE = "es_ES.UTF-8"


def text_hash(text: str) -> str:
    """Tell an English text from any other."""
    return sha256(text.strip().encode()).hexdigest()[:12]


def translated(cell: NotebookNode) -> str:
    """Return the hash of the English text that a Spanish cell translates."""
    return str(cell.metadata.get("translates", ""))


def texts(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells with texts, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def renew(english: NotebookNode, spanish: NotebookNode) -> NotebookNode:
    """Return the English notebook with the Spanish texts, and marks where there are none."""
    wanted = {text_hash(cell.source) for cell in texts(english)}
    known = {translated(cell): cell.source for cell in texts(spanish)}
    left = (text for key, text in known.items() if key not in wanted)
    renewed = nbformat.from_dict(english)
    renewed.cells = [
        _translation(cell, known, left) if cell.cell_type == "markdown" else cell
        for cell in english.cells
    ]
    return renewed


def _translation(cell: NotebookNode, known: dict[str, str], left: Iterator[str]) -> NotebookNode:
    key = text_hash(cell.source)
    before = "" if key in known else next(left, "")
    text = known.get(key, f"{MARK}\n\n{cell.source}\n\n{before}".rstrip())
    # the cell's own id: what did not change looks unchanged in a diff
    return new_markdown_cell(text, id=cell.id, metadata={"translates": key})


def is_translated(notebook: NotebookNode) -> bool:
    """Say whether nothing is left to translate."""
    return not any(MARK in cell.source for cell in texts(notebook))


def execute(notebook: NotebookNode) -> None:
    """Run a notebook in Spanish, in an empty folder, with a history of its own."""
    with TemporaryDirectory() as folder:
        os.environ.update(LANG=LOCALE, LC_ALL="", LC_MESSAGES="", SDNB_DATA=f"{folder}/data")
        os.environ["SDNB_CONFIG"] = f"{folder}/config"
        work = Path(folder, "notebooks")
        work.mkdir()
        NotebookClient(
            notebook,
            timeout=600,
            store_widget_state=False,
            resources={"metadata": {"path": str(work)}},
        ).execute()


def main(names: list[str]) -> None:
    """Renew the named notebooks, or all that there are in Spanish."""
    for name in names or sorted(path.stem for path in SPANISH.glob("*.ipynb")):
        path = SPANISH / f"{name}.ipynb"
        english = nbformat.read(ENGLISH / path.name, as_version=4)
        before = nbformat.read(path, as_version=4) if path.exists() else nbformat.v4.new_notebook()
        notebook = renew(english, before)
        if is_translated(notebook):
            execute(notebook)
        else:
            print(f"{path}: texts under {MARK!r} are to be translated")
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
