"""Where words look: words chosen, steps beside each other, runs watched again."""

import numpy as np
import pytest

from sdnb.errors import UnknownName
from sdnb.labs.attention import Attention

PATIENCE = 60.0
SMALL = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 3, "seed": 7}


@pytest.fixture(scope="module")
def watched(pipe):
    return pipe.run(**SMALL, attention=True)


@pytest.fixture
def lab(pipe, watched):
    lab = Attention(pipe)
    lab.open(watched)
    assert lab.wait(PATIENCE)
    return lab


def read(lab, word):
    row = next(row for row in lab.grids.rows if row.name == word)
    shape = (lab.grids.frames, lab.grids.height, lab.grids.width)
    return row, np.frombuffer(row.data, np.uint8).reshape(shape)


def test_every_word_has_a_map_for_each_step_and_one_for_all(lab, watched):
    # when
    row, levels = read(lab, "red")

    # then
    assert lab.words == lab.chosen == ("a", "red", "circle")
    shares = watched.attention.shares("red", step=1).numpy()
    assert np.abs(levels[1] / 255 * row.limit - shares).max() <= row.limit / 255
    assert levels[:3].max() == levels[3].max() == 255
    assert row.figures[3] == (pytest.approx(float(watched.attention.shares("red").max())),)


def test_words_are_chosen_in_the_order_of_the_prompt(lab):
    lab.choose("circle", "a")
    assert lab.chosen == ("a", "circle")
    assert [row.name for row in lab.grids.rows] == ["a", "circle"]
    lab.choose()
    assert lab.grids is None
    with pytest.raises(UnknownName, match="red"):
        lab.choose("blue")


def test_the_choice_stays_for_the_same_words(lab):
    # given
    lab.choose("circle")

    # when
    lab.draw(**{**SMALL, "seed": 8, "steps": 1})
    assert lab.wait(PATIENCE)
    same = lab.chosen
    lab.draw(**{**SMALL, "prompt": "a blue circle", "steps": 1})
    assert lab.wait(PATIENCE)

    # then
    assert same == ("circle",)
    assert lab.chosen == ("a", "blue", "circle")


def test_a_run_that_was_not_watched_is_drawn_again_with_the_same_picture(pipe):
    # given
    result = pipe.run(**SMALL)
    lab = Attention(pipe)

    # when
    lab.open(result)
    assert lab.wait(PATIENCE)

    # then
    assert lab.result.attention is not None
    assert (lab.result.id, lab.result.images) == (result.id, result.images)
    assert lab.grids.frames == 4


def test_a_batch_that_was_not_watched_stays_whole(pipe):
    # given
    result = pipe.run(**SMALL, batch_size=2)
    lab = Attention(pipe)

    # when
    lab.open(result)
    assert lab.wait(PATIENCE)

    # then: its first image was drawn again
    assert (lab.result.id, lab.result.images) == (result.id, result.images)
    assert lab.words == ("a", "red", "circle")


def test_a_branch_cannot_be_drawn_again_and_gives_another_picture(pipe):
    # given
    first = pipe.run(**SMALL)
    branch = pipe.branch(first, 2, prompt="a blue square").finish()
    lab = Attention(pipe)

    # when
    lab.open(branch)
    assert lab.wait(PATIENCE)

    # then
    assert lab.result.id not in (first.id, branch.id)
    assert lab.result.parent is None


@pytest.mark.parametrize("prompt", ["", " , . "])
def test_a_prompt_without_words_is_an_error_beside_it(pipe, prompt):
    lab = Attention(pipe)
    lab.draw(**{**SMALL, "prompt": prompt, "steps": 1})
    assert lab.wait(PATIENCE)
    assert list(lab.errors) == ["prompt"]
    assert (lab.phase, lab.grids) == ("idle", None)


def test_steps_in_which_the_text_was_another_have_no_map(pipe):
    # given: the prompt changes half way
    lab = Attention(pipe)

    # when
    lab.draw(**{**SMALL, "prompt": "a [red:blue:0.5] circle", "steps": 4})
    assert lab.wait(PATIENCE)

    # then
    row, levels = read(lab, "red")
    assert row.figures[0] is not None
    assert row.figures[3] is None
    assert not levels[3].any()
