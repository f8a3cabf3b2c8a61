"""The Spanish notebooks are the English ones: the same code, and a translation of every text."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.notebooks.test_notebooks import ALT, pictures, unseen
from tests.notebooks.translate import (
    ENGLISH,
    MARK,
    SPANISH,
    is_translated,
    renew,
    text_hash,
    texts,
    translated,
)

pytestmark = pytest.mark.notebook

TRANSLATED = (
    "01_quickstart",
    "02_diffusion",
    "03_text",
    "04_latents",
    "05_samplers",
    "06_compare",
    "07_inside_a_run",
    "08_conditioning",
    "09_training",
    "10_checkpoints",
    "11_studio",
)
"""Lessons that have to be there in Spanish too; others may be."""

PATHS = sorted(SPANISH.glob("*.ipynb"))


def code(notebook: NotebookNode) -> list[tuple[str, dict]]:
    """What is computed, and what of it is folded."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [(cell.source, dict(cell.metadata.get("jupyter", {}))) for cell in cells]


def test_every_listed_lesson_is_there_in_spanish() -> None:
    assert {path.stem for path in PATHS} >= set(TRANSLATED)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_spanish_notebook_computes_what_the_english_one_does(path: Path) -> None:
    english = nbformat.read(ENGLISH / path.name, as_version=4)
    spanish = nbformat.read(path, as_version=4)

    assert code(spanish) == code(english)
    assert [c.cell_type for c in spanish.cells] == [c.cell_type for c in english.cells]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_each_text_translates_the_present_english_one(path: Path) -> None:
    english = nbformat.read(ENGLISH / path.name, as_version=4)
    spanish = nbformat.read(path, as_version=4)

    assert is_translated(spanish)
    asked = [text_hash(cell.source) for cell in texts(english)]
    assert [translated(cell) for cell in texts(spanish)] == asked, (
        f"python -m tests.notebooks.translate {path.stem}"
    )


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_spanish_notebook_is_saved_with_its_pictures(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)

    assert pictures(notebook)
    assert all(re.search(ALT, tag) for tag in pictures(notebook))
    assert unseen(notebook) == []
    assert path.stat().st_size <= 2_000_000


def test_renewing_takes_new_code_and_keeps_what_is_translated() -> None:
    # given
    english = new_notebook(cells=[new_markdown_cell("Hello."), new_code_cell("1 + 1")])
    spanish = renew(english, new_notebook())
    assert not is_translated(spanish)
    spanish.cells[0].source = "Hola."

    # when
    english.cells[1] = new_code_cell("2 + 2")
    renewed = renew(english, spanish)

    # then
    assert [cell.source for cell in renewed.cells] == ["Hola.", "2 + 2"]
    assert is_translated(renewed)


def test_renewing_marks_a_text_that_was_changed_and_shows_its_old_translation() -> None:
    # given
    english = new_notebook(cells=[new_markdown_cell("Hello.")])
    spanish = renew(english, new_notebook())
    spanish.cells[0].source = "Hola."

    # when
    english.cells[0].source = "Hello, you."
    renewed = renew(english, spanish)

    # then
    assert renewed.cells[0].source == f"{MARK}\n\nHello, you.\n\nHola."
