"""What plots say is in the language files: none holds words of its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sdnb.plots
from sdnb import i18n
from sdnb.comparison.convergence import Convergence
from sdnb.comparison.samplers import Cost, SamplerFacts
from sdnb.i18n import language, set_language
from sdnb.plots.sampler_table import Table
from sdnb.plots.samplers import plot_convergence, plot_costs

PATHS = sorted(Path(sdnb.plots.__file__).parent.glob("*.py"))

SHOWN = {"title", "title_text", "alt", "name", "text", "label", "prefix", "hovertemplate"}
SHOWN |= {"ticktext", "subplot_titles", "legend_title_text", "names"}
"""What a plot shows of a call's keywords and a dictionary's entries."""

UNREAD = re.compile(r"%\{.*?\}|<.*?(>|$)")
"""Places that plotly fills, and tags."""

TWO_WORDS = re.compile(r"[^\W\d_]{2,} [^\W\d_]{2,}")
NO_WORDS = re.compile(
    r"[\w\s.:;,%#()-]*[:;%#(][\w\s.:;,%#()-]*|(top|middle) center|bottom \w+|xMid.*"
)
"""Styles of CSS, and what plotly calls places and ways to fit a picture."""

NAMES = {"RMSE", "SNR", "PSNR", "CFG"}


def literals(module: ast.Module) -> Iterator[str]:
    """The texts of a module, but for docstrings and errors."""
    silent: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))
        if isinstance(node, ast.Raise):
            silent |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(module):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in silent:
            yield node.value


def shown(module: ast.Module) -> Iterator[str]:
    """The texts that stand directly in what is shown: no argument of a call in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            pairs = list(zip(keys, node.values, strict=True))
        else:
            continue
        for name, value in pairs:
            if name in SHOWN:
                yield from written(value)


def written(value: ast.AST) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Call() | ast.Subscript() | ast.Attribute() | ast.Compare() | ast.Dict():
            return  # a dictionary's own entries are looked at by their names
        case _:
            for part in ast.iter_child_nodes(value):
                yield from written(part)


def words_in(source: str) -> list[str]:
    """The words that a plot says without the language files."""
    module = ast.parse(source)
    said = [UNREAD.sub(" ", text) for text in shown(module)]
    single = [text for text in said if set(re.findall(r"[^\W\d_]{3,}", text)) - NAMES]
    several = [UNREAD.sub(" ", text) for text in literals(module)]
    return single + [t for t in several if TWO_WORDS.search(t) and not NO_WORDS.fullmatch(t)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_plot_says_nothing_but_what_the_language_files_say(path: Path) -> None:
    assert words_in(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        'page(figure, title="Distance", alt=tr("a.b"))',
        'figure.add_bar(name="time")',
        'figure.update_xaxes(title_text=f"t ({unit} steps)")',
        'colorbar = {"title": {"text": "value"}}',
        'TITLES = ["what is left of it"]',
    ],
)
def test_words_in_a_plot_are_found(source: str) -> None:
    assert words_in(source)


@pytest.fixture
def spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    set_language("es")


def test_plots_and_tables_speak_spanish(
    spanish: None,
    study: Convergence,
    facts: tuple[SamplerFacts, ...],
    costs: tuple[Cost, ...],
) -> None:
    # when
    convergence, bars, table = plot_convergence(study), plot_costs(costs), Table(facts)

    # then
    assert language() == "es"
    assert convergence.layout.title.text == "Error según el número de evaluaciones"
    assert convergence.layout.yaxis.title.text == "error (distancia RMS, unidades de los datos)"
    assert [trace.name for trace in bars.data] == ["evaluaciones", "tiempo"]
    assert repr(table).startswith("muestreador")
    assert "los elige" in repr(table)
