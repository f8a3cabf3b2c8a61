"""The magic on the model that ships with sdnb."""

from pathlib import Path

import pytest

from sdnb.magics.session import load_pipeline
from sdnb.pipeline import Pipeline
from sdnb.records.reading import read
from sdnb.result import Result
from tests.magics.conftest import Notebook


@pytest.fixture
def real(notebook: Notebook, tiny: Pipeline) -> Notebook:
    """Give a notebook whose `tiny` is the real one."""
    notebook.session._load = {"tiny": tiny}.__getitem__
    return notebook


def test_a_cell_draws_what_python_draws(real: Notebook, tiny: Pipeline) -> None:
    # when
    result = real.run("%%sd --steps 4 --seed 7 --batch 2 --sampler euler\na red circle on a meadow")
    # then
    assert isinstance(result, Result)
    plain = tiny.run("a red circle on a meadow", steps=4, seed=7, batch_size=2, sampler="euler")
    assert result.request == plain.request
    assert [image.tobytes() for image in result.images] == [
        image.tobytes() for image in plain.images
    ]


def test_what_a_cell_drew_can_be_saved_and_drawn_again(real: Notebook, tmp_path: Path) -> None:
    # given
    first = real.run("%sd a blue star --steps 2")
    real.run(f"%sd save {tmp_path}")
    (path,) = tmp_path.glob("*.png")
    # when
    request = read(path).request
    again = real.run(f'%sd "{request.prompt}" --steps {request.steps} --seed {request.seed}')
    # then
    assert isinstance(first, Result)
    assert isinstance(again, Result)
    assert first.images[0].tobytes() == again.images[0].tobytes()


def test_a_second_pass_is_drawn_shown_and_compared(real: Notebook, tiny: Pipeline) -> None:
    # when
    result = real.run('%sd a blue star --seed 1 --size 64 --steps 2 --hires "1.5x denoise=0.6"')
    compared = real.run("%sd compare hires=none,1.5x")
    film = real.run("%sd film")
    # then
    assert isinstance(result, Result)
    assert result.images[0].size == (96, 96)
    fields = {"seed": 1, "width": 64, "height": 64, "steps": 2}
    plain = tiny.run("a blue star", hires="1.5x denoise=0.6", **fields)
    assert result.images[0].tobytes() == plain.images[0].tobytes()
    assert [cell.images[0].size for cell in compared.results] == [(64, 64), (96, 96)]
    assert film is not None


def test_levels_of_ones_own_are_drawn_with_and_saved(real: Notebook, tmp_path: Path) -> None:
    # when
    result = real.run('%sd a blue star --seed 1 --schedule "custom sigmas=14.6,5,1,0"')
    real.run(f"%sd save {tmp_path}")
    # then
    assert isinstance(result, Result)
    assert result.trace.sigmas == (14.6, 5, 1, 0)
    assert "custom sigmas=14.6,5,1,0 · 3 steps" in result.facts
    (path,) = tmp_path.glob("*.png")
    assert read(path).request == result.request


@pytest.mark.usefixtures("listening")
def test_an_interrupt_shows_the_last_preview_and_the_next_run_works(real: Notebook) -> None:
    # given
    real.run("import signal\ndef stop(event): signal.raise_signal(signal.SIGINT)")
    # when
    result = real.run("%sd a red circle --steps 9 --on step:stop@3")
    # then
    assert isinstance(result, Result)
    assert result.interrupted
    assert result.images
    assert "interrupted after" in result.facts
    assert real.html[-1:] in ([], [""])
    # and then
    again = real.run("%sd a red circle --steps 2")
    assert isinstance(again, Result)
    assert not again.interrupted


@pytest.mark.usefixtures("listening")
def test_an_interrupt_before_the_first_answer_shows_no_picture(real: Notebook) -> None:
    # given
    real.run("import signal\ndef stop(event): signal.raise_signal(signal.SIGINT)")
    # when
    result = real.run("%sd a red circle --steps 9 --on text:stop")
    # then
    assert isinstance(result, Result)
    assert result.interrupted
    assert result.images == ()


def test_an_unknown_word_is_told_under_the_picture(real: Notebook) -> None:
    # when
    result = real.run("%sd a red zeppelin --steps 1")
    # then
    assert isinstance(result, Result)
    assert any("zeppelin" in notice for notice in result.notices)


def test_info_describes_the_model(real: Notebook) -> None:
    assert "128x128" in repr(real.run("%sd info"))


def test_a_checkpoint_that_is_not_there_is_an_error_for_people(notebook: Notebook) -> None:
    # given
    notebook.session._load = load_pipeline
    # when
    outcome = notebook.shell.run_cell("%sd load nowhere/at-all")
    # then
    assert "nowhere" in str(outcome.error_in_exec)
    assert outcome.error_in_exec.fix or outcome.error_in_exec.allowed
