import sys

import pytest
from IPython.core.completer import provisionalcompleter

from sdnb.flags import FLAGS
from sdnb.magics.commands import COMMANDS
from sdnb.magics.complete import proposals, rest_of_magic
from sdnb.magics.panel import PANELS
from sdnb.registry import SAMPLERS, SCHEDULES
from tests.magics.conftest import Notebook


def completed(notebook: Notebook, text: str) -> list[str]:
    """Return the texts that Tab at the end of ``text`` could leave."""
    with provisionalcompleter():
        return [
            text[: completion.start] + completion.text
            for completion in notebook.shell.Completer.completions(text, len(text))
        ]


@pytest.mark.parametrize("start", ["%sd", "%%sd", "x = %sd", "a, b = %sd", "    %sd", "d[0] = %sd"])
@pytest.mark.parametrize(
    ("rest", "found"),
    [
        (" a cat --sam", [" a cat --sampler"]),
        (" --st", [" --steps", " --strength"]),
        (" --sampler plm", [" --sampler plms"]),
        (" --schedule ka", [" --schedule karras"]),
        (" a cat --sampler=plm", [" a cat --sampler=plms"]),
        (" --after=in", [" --after=increment"]),
        (' --schedule="ka', [' --schedule="karras']),
        (" --on=step:look_", [" --on=step:look_closely"]),
        (' --schedule "ka', [' --schedule "karras']),
        (' --schedule "beta al', [' --schedule "beta alpha=']),
        (' --schedule "beta alpha=0.5 b', [' --schedule "beta alpha=0.5 beta=']),
        (" --after in", [" --after increment"]),
        (" --on st", [" --on start:", " --on step:"]),
        (" --on step:look_", [" --on step:look_closely"]),
    ],
)
def test_tab_completes_flags_and_values(
    notebook: Notebook, start: str, rest: str, found: list[str]
) -> None:
    # given
    notebook.run("def look_closely(event): pass")
    # when / then
    assert completed(notebook, start + rest) == [start + text for text in found]


def test_tab_after_the_name_gives_all_subcommands(notebook: Notebook) -> None:
    assert completed(notebook, "%sd ") == [f"%sd {name}" for name in COMMANDS]


def test_tab_after_panel_gives_the_panels(notebook: Notebook) -> None:
    assert completed(notebook, "%sd panel ") == [f"%sd panel {name}" for name in PANELS]
    assert completed(notebook, "%sd panel at") == ["%sd panel attention"]


def test_tab_after_a_flag_gives_all_its_values(notebook: Notebook) -> None:
    # when
    samplers = completed(notebook, "%sd a cat --sampler ")
    schedules = completed(notebook, "%%sd --schedule ")
    # then
    assert samplers == [f"%sd a cat --sampler {name}" for name in SAMPLERS.names()]
    assert schedules == [f"%%sd --schedule {name}" for name in SCHEDULES.names()]


def test_the_body_of_a_cell_is_not_the_magic_s(notebook: Notebook) -> None:
    # when
    found = completed(notebook, "%%sd --steps 3\na cat --sam")
    # then
    assert not any("--sampler" in text for text in found)


def test_python_keeps_its_own_completion(notebook: Notebook) -> None:
    # given
    notebook.run("samovar = 3")
    # when / then
    assert "samovar" in completed(notebook, "samov")


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("", list(COMMANDS)),
        ("a cat ", list(FLAGS)),
        ("a cat", []),
        ("set ", [*FLAGS, "--keep", "--models", "--language", "--history"]),
        ("set --k", ["--keep"]),
        ("help st", []),
        ("help --st", ["--steps", "--strength"]),
        ("help hel", ["help"]),
        ("help plm", ["plms"]),
        ("-", list(FLAGS)),
        ("--steps ", []),
        ("--steps=", []),
        ("--sampler=", [f"--sampler={name}" for name in SAMPLERS.names()]),
        ("--nothing=", []),
        ("samplers --measure=", []),
        ("schedules --names=karras,norm", ["--names=karras,normal"]),
        ("set --sampler=plm", ["--sampler=plms"]),
        ("x=3", []),
    ],
)
def test_proposals_fit_the_place(rest: str, found: list[str]) -> None:
    assert proposals(rest, {}) == found


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ('a cat --schedule "karras ', ["rho="]),
        ('a cat --schedule "beta ', ["alpha=", "beta="]),
        ('--schedule="custom s', ["sigmas="]),
        ('"a cat" --sampler "euler_ancestral e', ["eta="]),
        ('--schedule "nobodys ', []),
        ('--schedule "simple ', []),
        ('--negative "karras r', []),
        ('--schedule "karras rho=7" --sch', ["--schedule"]),
    ],
)
def test_options_are_proposed_inside_an_open_quotation_mark(rest: str, found: list[str]) -> None:
    assert proposals(rest, {}) == found


def test_options_are_not_what_loads_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.delitem(sys.modules, "torch")
    # when / then
    assert proposals('--schedule "karras ', {}) == []
    assert proposals('--schedule "kar', {}) == ['"karras']


@pytest.mark.parametrize("text", ["%sdx ", "%sd", "print('%sd ')", "x == %sd ", "%%sd "])
def test_other_lines_are_left_alone(text: str) -> None:
    assert rest_of_magic(text, is_first_line=False) is None


def test_panels_are_proposed_by_name() -> None:
    assert proposals("panel ", {})[0] == "studio"
    assert proposals("panel com", {}) == ["compare"]
