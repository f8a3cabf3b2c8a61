"""The magic in a real IPython shell."""

import dataclasses

import pytest
from IPython.core.interactiveshell import InteractiveShell

from sdnb.choice import Choice
from sdnb.errors import HookError, InvalidField, SdnbError, UnknownName
from sdnb.hook_use import HookUse
from sdnb.magics.notebook_hooks import split_hooks
from sdnb.registry import HOOKS
from sdnb.request import GenerationRequest
from sdnb.result import Result
from tests.magics.conftest import DRAWN_SEED, Notebook


def test_a_cell_draws_its_body(notebook: Notebook) -> None:
    # when
    result = notebook.run(
        "%%sd --steps 3 --seed 7\na {red|blue} (cat:1.2) for $5\nnegative: dark\n"
    )
    # then
    assert isinstance(result, Result)
    assert result.request.prompt == "a {red|blue} (cat:1.2) for $5"
    assert result.request.negative_prompt == "dark"
    assert (result.request.steps, result.request.seed) == (3, 7)


@pytest.mark.parametrize("line", ['%sd "a cat" --steps 3', "%sd a cat --steps 3"])
def test_a_line_draws_its_words(notebook: Notebook, line: str) -> None:
    # when
    result = notebook.run(line)
    # then
    assert isinstance(result, Result)
    assert result.request.prompt == "a cat"


@pytest.mark.parametrize("cell", ['%sd ""', "%sd --steps 3", "%%sd --steps 3\n\n"])
def test_an_empty_prompt_is_allowed(notebook: Notebook, cell: str) -> None:
    # when
    result = notebook.run(cell)
    # then
    assert isinstance(result, Result)
    assert result.request.prompt == ""


@pytest.mark.parametrize(
    "body",
    [
        "a cat's (house",
        '"""',
        "  indented\n back",
        "a cat's house;x",
        "{{ {% }} \\(cat\\) !ls ?",
        "%sd nested",
    ],
)
def test_a_body_need_not_be_python(notebook: Notebook, body: str) -> None:
    # when
    result = notebook.run(f"%%sd\n{body}\n")
    # then
    assert isinstance(result, Result)
    assert result.request.prompt == body.strip()


def test_the_result_is_the_value_of_the_cell(notebook: Notebook) -> None:
    # when
    value = notebook.run("%%sd\na cat")
    # then
    assert notebook.names["_"] is notebook.names["_sd"] is value


def test_a_line_can_be_assigned(notebook: Notebook) -> None:
    # when
    value = notebook.run("x = %sd a cat\n")
    # then
    assert value is None
    assert notebook.names["x"] is notebook.names["_sd"]


@pytest.mark.parametrize("cell", ["%%sd -o cat\na cat;\n", "%sd a cat -o cat;"])
def test_a_semicolon_shows_nothing_but_keeps_the_result(notebook: Notebook, cell: str) -> None:
    # when
    value = notebook.run(cell)
    # then
    assert value is None
    assert isinstance(notebook.names["cat"], Result)
    assert notebook.names["cat"] is notebook.names["_sd"]
    assert notebook.pipe.request.prompt == "a cat"


def test_the_name_after_o_gets_the_result_and_the_cell_shows_it(notebook: Notebook) -> None:
    # when
    value = notebook.run("%%sd -o cat\na cat")
    # then
    assert notebook.names["cat"] is value


def test_variables_of_the_notebook_and_of_a_function_are_filled_in(notebook: Notebook) -> None:
    # given
    notebook.run(
        "colour = 'red'\ndef draw(thing):\n    x = %sd a {{colour}} {{thing}}\n    return x"
    )
    # when
    result = notebook.run("draw('cat')")
    # then
    assert isinstance(result, Result)
    assert result.request.prompt == "a red cat"


def test_a_loop_can_use_the_line(notebook: Notebook) -> None:
    # when
    notebook.run(
        "results = []\nfor n in (3, 4):\n    %sd a cat --seed {{n}}\n    results.append(_sd)"
    )
    # then
    assert [run.request.seed for run in notebook.pipe.runs] == [3, 4]


def test_a_missing_variable_names_the_user_s_own_only(notebook: Notebook) -> None:
    # given
    notebook.run("colour = 'red'")
    # when
    with pytest.raises(UnknownName) as caught:
        notebook.run("%%sd\na {{color}} cat")
    # then
    assert caught.value.allowed == "colour"


def test_the_embedded_model_is_loaded_at_the_first_drawing_and_kept(notebook: Notebook) -> None:
    # when
    notebook.run("%sd a cat")
    notebook.run("%sd a cat")
    # then
    assert [pipe.reference for pipe in notebook.pipelines] == ["tiny"]
    assert "loading tiny" in notebook.html[0]


def test_the_checkpoint_of_a_cell_is_that_cells_own(notebook: Notebook) -> None:
    # when
    notebook.run("%sd a cat --checkpoint other")
    notebook.run("%sd a cat")
    # then
    assert [pipe.reference for pipe in notebook.pipelines] == ["other", "tiny"]


def test_what_is_shown_while_running_is_taken_away_at_the_end(notebook: Notebook) -> None:
    # when
    notebook.run("%sd a cat")
    # then
    assert notebook.html[-1] == ""
    places = {output["transient"]["display_id"] for output in notebook.published.outputs}
    updates = [output["update"] for output in notebook.published.outputs]
    assert len(places) == 1
    assert updates == [False] + [True] * (len(updates) - 1)


def test_an_interrupt_gives_what_there_is_and_leaves_all_usable(notebook: Notebook) -> None:
    # given
    notebook.run("%sd load tiny")
    notebook.pipe.interrupt_at = 2
    # when
    result = notebook.run("%sd a cat --steps 9 --seed 7")
    # then
    assert isinstance(result, Result)
    assert result.interrupted
    assert "interrupted after 2 of 9 steps" in result.facts
    assert notebook.pipe.runs[-1].cancelled
    # and then
    notebook.pipe.interrupt_at = None
    again = notebook.run("%sd a cat --steps 9")
    assert isinstance(again, Result)
    assert not again.interrupted


def test_an_interrupt_while_loading_is_the_user_s_to_see(notebook: Notebook) -> None:
    # given
    def interrupted(reference: str):
        raise KeyboardInterrupt

    notebook.session._load, load = interrupted, notebook.session._load
    # when
    outcome = notebook.shell.run_cell("%sd a cat")
    # then
    assert isinstance(outcome.error_in_exec, KeyboardInterrupt)
    assert notebook.html[-1] == ""
    # and then
    notebook.session._load = load
    assert isinstance(notebook.run("%sd a cat"), Result)


def test_an_error_fails_the_cell_in_a_few_lines(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    # when
    outcome = notebook.shell.run_cell("%%sd --sampler huen\na cat")
    # then
    assert isinstance(outcome.error_in_exec, UnknownName)
    shown = "".join(capsys.readouterr())
    assert "Traceback" not in shown
    assert "did you mean heun" in shown
    assert notebook.pipelines == []


def test_an_unknown_hook_is_found_out_before_anything_is_loaded(notebook: Notebook) -> None:
    # given
    notebook.run("def brighten(event): pass")
    # when
    with pytest.raises(UnknownName) as caught:
        notebook.run("%sd a cat --on step:brigthen")
    # then
    assert "brighten" in caught.value.allowed.split(", ")
    assert "brighten" in caught.value.fix
    assert notebook.pipelines == []


def test_functions_of_the_notebook_are_hooks_for_their_steps(notebook: Notebook) -> None:
    # given
    notebook.run("seen = []\ndef look(event): seen.append(event.index)")
    notebook.run("sums = []\ndef add(event, by): sums.append(event.index + by)")
    # when
    notebook.run("%sd a cat --steps 9 --on step:look@3-5 --on 'step:add by=10@7-'")
    # then
    assert notebook.names["seen"] == [3, 4, 5]
    assert notebook.names["sums"] == [17, 18]
    assert notebook.pipe.request.hooks == ()


def test_registered_hooks_stay_in_the_request(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setitem(HOOKS._added, "ready_made", print)
    # when
    notebook.run("%sd a cat --on step:ready_made@1-2")
    # then
    assert [use.hook for use in notebook.pipe.request.hooks] == [Choice("ready_made")]
    assert notebook.pipe.runs[-1].hooks.on_step == ()


def test_a_function_of_a_recorded_run_is_the_notebook_s_again() -> None:
    # given: a function that was called as a registered hook is
    use = dataclasses.replace(HookUse.parse("denoise:rescaled_cfg"), given=True)
    functions = {"rescaled_cfg": print}
    # when
    request, found = split_hooks(GenerationRequest(hooks=(use,)), functions)
    # then
    assert request.hooks == ()
    assert found == [(use, functions["rescaled_cfg"])]


@pytest.mark.parametrize(
    ("use", "what"),
    [("step:number", "function of one event"), ("start:look@3-5", "has no steps")],
)
def test_a_hook_that_cannot_be_is_an_error(notebook: Notebook, use: str, what: str) -> None:
    # given
    notebook.run("number = 3\ndef look(event): pass")
    # when / then
    with pytest.raises(InvalidField, match=what):
        notebook.run(f"%sd a cat --on {use}")


def test_a_hook_that_fails_names_itself_and_leaves_all_usable(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    # given
    notebook.run("def divide(event): return 1 / 0")
    # when
    outcome = notebook.shell.run_cell("%sd a cat --on step:divide@2")
    # then
    assert isinstance(outcome.error_in_exec, HookError)
    shown = "".join(capsys.readouterr())
    assert "divide" in shown
    assert "ZeroDivisionError" in shown
    assert "Traceback" not in shown
    # and then
    assert isinstance(notebook.run("%sd a cat"), Result)


def seeds_of(notebook: Notebook, *lines: str) -> list[int | None]:
    for line in lines:
        notebook.run(line)
    return [run.request.seed for run in notebook.pipe.runs]


def test_a_seed_is_drawn_unless_given(notebook: Notebook) -> None:
    assert seeds_of(notebook, "%sd a", "%sd a --seed 7", "%sd a") == [DRAWN_SEED, 7, DRAWN_SEED]


def test_increment_goes_on_by_the_batch(notebook: Notebook) -> None:
    # given
    more = "%sd a --after increment --batch 2"
    # when
    seeds = seeds_of(notebook, "%sd a --seed 7 --after increment", more, more, "%sd a", "%sd a")
    # then
    assert seeds == [7, 8, 10, 12, DRAWN_SEED]


def test_an_explicit_seed_wins_and_is_gone_on_from(notebook: Notebook) -> None:
    # given
    explicit = "%sd a --seed 7 --after increment"
    # when
    seeds = seeds_of(notebook, explicit, explicit, "%sd a --after decrement", "%sd a")
    # then
    assert seeds == [7, 7, 8, 7]


def test_fixed_keeps_a_drawn_seed(notebook: Notebook) -> None:
    # when
    seeds = seeds_of(notebook, "%sd set --after fixed", "%sd a", "%sd a --steps 3")
    # then
    assert seeds == [DRAWN_SEED, DRAWN_SEED]


def test_a_default_seed_stands_until_one_is_left(notebook: Notebook) -> None:
    # when
    seeds = seeds_of(
        notebook, "%sd set --seed 3", "%sd a", "%sd a --after increment", "%sd a", "%sd a"
    )
    # then
    assert seeds == [3, 3, 4, 3]


def test_setting_the_default_seed_starts_a_series_again(notebook: Notebook) -> None:
    # given
    start = "%sd set --seed 3 --after increment"
    # when
    seeds = seeds_of(notebook, start, "%sd a", "%sd a", start, "%sd a", "%sd a")
    # then
    assert seeds == [3, 4, 3, 4]


def test_the_result_says_which_seed_is_next(notebook: Notebook) -> None:
    # when
    fixed = notebook.run("%sd a --seed 7 --after increment --batch 4")
    drawn = notebook.run("%sd a --seed 7")
    # then
    assert isinstance(fixed, Result)
    assert isinstance(drawn, Result)
    assert fixed.notices == ("next seed: 11 (--after increment)",)
    assert drawn.notices == ()


def test_help_of_the_magic_is_made_from_the_fields(notebook: Notebook) -> None:
    # when
    text = notebook.shell.object_inspect("%sd")["docstring"]
    # then
    for word in ("%%sd", "--steps", "--after", "heun", "karras", "%sd load", "{{name}}"):
        assert word in text


def test_unloading_takes_everything_away(notebook: Notebook) -> None:
    # given
    shell: InteractiveShell = notebook.shell
    # when
    shell.extension_manager.load_extension("sdnb")
    shell.extension_manager.unload_extension("sdnb")
    # then
    assert shell.find_line_magic("sd") is None
    assert shell.find_cell_magic("sd") is None
    # and then
    shell.extension_manager.load_extension("sdnb")
    assert len(shell.Completer.custom_matchers) == len(
        set(map(id, shell.Completer.custom_matchers))
    )


def test_every_error_of_a_cell_is_ours(notebook: Notebook) -> None:
    # given
    lines = ["--size 100x100", "--steps 0", "--batch -1", "--denoise 2", "--cfg nan", "--seed -1"]
    for line in lines:
        # when / then
        with pytest.raises(SdnbError):
            notebook.run(f"%sd a cat {line}")
