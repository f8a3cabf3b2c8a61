"""Any text in a cell is drawn or refused by name, and evaluates nothing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdnb.flags import FLAGS
from sdnb.magics.parse import Order, parse_cell, parse_line
from sdnb.records.report import visible
from tests.hostile.conftest import refused
from tests.magics.conftest import Notebook

QUICK = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = st.sampled_from(
    [
        *(*FLAGS, "-o", "x", "7", "-1", "1e9", "nan", "inf", "=", '"', "'", "\\", ";", "{{x}}"),
        *("{{", "---", "negative:", "\n", "none", "128x128", "heun eta=1", "a.png", "(a:1"),
        *("sampler=a,b", "\u202e", "\x1b[31m", "\ud800"),
    ]
)
LINES = st.text(max_size=60) | st.lists(PIECES, max_size=8).map(" ".join)


@QUICK
@given(line=LINES, body=LINES)
def test_any_text_is_read_or_refused(line: str, body: str) -> None:
    names = {"x": "a; import os"}
    refused(parse_cell, line, body, Order(), names)
    refused(parse_line, line, Order(), names)


@QUICK
@given(line=LINES, body=LINES)
def test_any_cell_is_drawn_or_refused_and_leaves_the_session(
    notebook: Notebook, orders: list[Any], line: str, body: str, tmp_path: Path
) -> None:
    # given
    before = notebook.session.defaults
    # when
    refused(notebook.magics.sd, line, body)
    # then
    assert notebook.session.defaults == before


@pytest.fixture
def orders(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Gather orders in the place of drawing them: some ask for 256 pictures."""
    gathered: list[Any] = []
    monkeypatch.setattr(notebook.magics, "_draw", lambda order, _names: gathered.append(order))
    return gathered


def test_a_variable_is_put_in_and_never_evaluated(notebook: Notebook) -> None:
    # given
    notebook.names["name"] = "{{secret}} __import__('os').system('touch x')"
    notebook.names["secret"] = "shown"
    # when
    notebook.run("%%sd\na {{name}} {{ 1 + 1 }} {name} $name")
    # then
    assert notebook.pipe.request.prompt == (
        "a {{secret}} __import__('os').system('touch x') {{ 1 + 1 }} {name} $name"
    )


@given(text=st.text(max_size=40))
def test_what_is_shown_holds_no_mark_that_moves_or_colours_it(text: str) -> None:
    assert all(mark.isprintable() or mark == "\n" for mark in visible(text))
