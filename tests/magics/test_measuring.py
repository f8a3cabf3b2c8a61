"""``%sd schedules``, ``%sd samplers``, ``%sd convergence``: on the real model, small."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.magics.commands import COMMANDS
from sdnb.magics.complete import proposals
from sdnb.magics.measuring import COLUMNS, PROBLEMS, USUAL
from sdnb.plots import sampler_table
from sdnb.plots.figure import Figure
from sdnb.plots.sampler_table import Table
from sdnb.registry import SAMPLERS, SCHEDULES
from tests.magics.conftest import Notebook

MEASURING = ("schedules", "samplers", "convergence")


def names_of(figure: Figure) -> set[str]:
    return {trace.legendgroup for trace in figure.data if trace.legendgroup}


def test_schedules_draws_all_of_them(real: Notebook) -> None:
    figure = real.run("%sd schedules")
    assert isinstance(figure, Figure)
    assert names_of(figure) == {*SCHEDULES.names()} - {"custom"}
    assert len(figure.layout.images) == 8


def test_schedules_draws_those_that_are_named(real: Notebook, tmp_path: Path) -> None:
    # given
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    # when
    line = f'%sd schedules --names "karras rho=5,normal" --steps 6 --image {tmp_path}/red.png'
    figure = real.run(line)
    # then
    assert names_of(figure) == {"karras rho=5", "normal"}
    assert len(figure.data[0].x) == 6


def test_samplers_shows_all_of_them(notebook: Notebook) -> None:
    table = notebook.run("%sd samplers")
    assert isinstance(table, Table)
    assert [each.name for each in table.facts] == list(SAMPLERS.names())
    assert notebook.pipelines == []  # nothing is loaded for it


def test_samplers_sorts_and_chooses(notebook: Notebook) -> None:
    table = notebook.run("%sd samplers --names heun,euler,dpm_2 --sort order")
    assert [each.name for each in table.facts] == ["euler", "heun", "dpm_2"]


def test_samplers_measures_the_model_at_hand(real: Notebook) -> None:
    table = real.run("%sd samplers --names ddim,heun --measure --steps 3 --repeats 1 --sort time")
    assert [cost.evaluations for cost in table.costs] == [3, 5]
    assert "time ÷ DDIM" in repr(table)


def test_convergence_draws_the_analytic_problem_without_a_model(notebook: Notebook) -> None:
    figure = notebook.run("%sd convergence --problem analytic --steps 4,8")
    assert names_of(figure) == set(USUAL)
    assert notebook.pipelines == []


def test_convergence_draws_both_problems(real: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    asked = []

    def measure(pipe, request, samplers, steps):
        asked.append(request)
        return measure_analytic(samplers, steps)

    from sdnb.comparison import convergence

    measure_analytic = convergence.measure_convergence
    monkeypatch.setattr(convergence, "measure_model_convergence", measure)
    # when
    figure = real.run('%sd convergence --samplers euler,heun --steps 2,4 --prompt "a blue star"')
    # then
    assert names_of(figure) == {"euler", "heun"}
    assert {trace.xaxis or "x" for trace in figure.data} == {"x", "x2"}
    assert (asked[0].prompt, asked[0].width, asked[0].cfg_scale) == ("a blue star", 32, 1)


def test_what_takes_a_while_is_said_and_taken_away(real: Notebook) -> None:
    real.run("%sd schedules --names karras")
    assert any("drawing schedules" in html for html in real.html)
    assert real.html[-1] == ""


@pytest.mark.parametrize("name", MEASURING)
def test_help_tells_the_flags_of_a_subcommand(notebook: Notebook, name: str) -> None:
    text = repr(notebook.run(f"%sd help {name}"))
    for flag in COMMANDS[name].flags:
        assert flag.usage in text
        assert flag.help in text


@pytest.mark.parametrize("name", MEASURING)
def test_every_example_in_the_help_can_be_read(name: str) -> None:
    for flag in COMMANDS[name].flags:
        if flag.takes and not flag.example.endswith(".png"):
            flag.read(flag.example)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("schedules karras", "flags only"),
        ("schedules --names karras, normal", "flags only"),
        ("schedules --steps many", "another value"),
        ("schedules --steps", "needs a value"),
        ("schedules --steps 5 --steps 6", "given twice"),
        ("schedules --steps 0 --names karras", "spread over"),
        ("samplers --names ddim --measure --steps 0", "out of its range"),
        ("samplers --measure --repeats 0 --names ddim --steps 2", "at least once"),
        ("convergence --steps 10,5", "rising"),
        ("convergence --steps 5,x", "another value"),
    ],
)
def test_a_misused_flag_says_how_to_write_it(real: Notebook, line: str, said: str) -> None:
    with pytest.raises(InvalidField, match=said) as caught:
        real.run(f"%sd {line}")
    assert caught.value.fix
    assert caught.value.allowed


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("schedules --naems karras", "--names"),
        ("schedules --names karas", "karras"),
        ("samplers --names hoin", "heun"),
        ("samplers --names ddim --sort oder", "order"),
        ("samplers --names ddim --sort time", "sampler"),  # nothing was measured
        ("convergence --samplers euller", "euler"),
        ("convergence --problem modell", "model"),
    ],
)
def test_an_unknown_name_lists_the_nearest(real: Notebook, line: str, near: str) -> None:
    with pytest.raises(UnknownName) as caught:
        real.run(f"%sd {line}")
    assert near in f"{caught.value.fix} {caught.value.allowed}"


def test_an_unreadable_picture_is_an_error_of_ours(real: Notebook) -> None:
    with pytest.raises(SdnbError, match="cannot be read"):
        real.run("%sd schedules --image nowhere.png")


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("schedules --na", ["--names"]),
        ("schedules ", ["--names", "--steps", "--image"]),
        ("schedules --names karr", ["karras"]),
        ("schedules --names normal,karr", ["normal,karras"]),
        ("samplers --sort hist", ["history"]),
        ("samplers --measure --rep", ["--repeats"]),
        ("convergence --problem m", ["model"]),
        ("convergence --samplers heu", ["heun"] + ["heunpp2"] * ("heunpp2" in SAMPLERS.names())),
        ("conv", ["convergence"]),
    ],
)
def test_tab_completes_the_flags_of_a_subcommand(rest: str, found: list[str]) -> None:
    assert proposals(rest, {}) == found


def test_the_columns_to_sort_by_are_the_table_s() -> None:
    columns = (*sampler_table.COLUMNS, *sampler_table.COST_COLUMNS)
    assert tuple(column.key for column in columns) == COLUMNS
    assert PROBLEMS[0] == "both"


def test_help_about_them_loads_neither_torch_nor_plotly() -> None:
    code = (
        "import sys; from sdnb.magics.commands import COMMANDS, usages; usages();"
        "from sdnb.magics.complete import proposals; proposals('samplers --sort ', {});"
        "sys.exit(any(name in sys.modules for name in ('torch', 'plotly')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
