"""Pictures of cells at equal moments of their runs."""

import pytest

import sdnb
from sdnb.comparison.flip_book import make_flip_book
from sdnb.comparison.latents import film
from sdnb.errors import InvalidField
from sdnb.events import Hooks
from sdnb.request import GenerationRequest

SMALL = GenerationRequest(prompt="a red circle", seed=3, width=32, height=32, batch_size=2)


@pytest.fixture(scope="module")
def comparison(pipe):
    return sdnb.compare(pipe, SMALL, sampler=["euler", "dpmpp_2m"], steps=[3, 9])


def pixels(pictures):
    return [picture.tobytes() for picture in pictures]


def test_a_book_goes_from_the_first_estimates_to_the_pictures(pipe, comparison):
    # when
    book = make_flip_book(comparison, count=5, index=1)

    # then
    results = comparison.results
    first, last = ([film(pipe, r, index=1)[i].image for r in results] for i in (0, -1))
    assert pixels(book.pages[0]) == pixels(first)
    assert pixels(book.pages[-2]) == pixels(last)
    assert pixels(book.pages[-1]) == pixels(result.images[1] for result in results)
    assert book.axes == comparison.plan.axes


def test_runs_of_different_lengths_are_shown_at_equal_shares(pipe, comparison):
    # when
    book = make_flip_book(comparison, count=5)

    # then
    assert book.moments == (*(f"{share} % of the run" for share in (0, 25, 50, 75, 100)), "picture")
    frames = film(pipe, comparison.results[1])
    assert pixels(page[1] for page in book.pages[:-1]) == pixels(
        frames[step].image for step in (0, 2, 4, 6, 8)
    )
    assert pixels(page[0] for page in book.pages[:-1])[1:3] == pixels(
        [film(pipe, comparison.results[0])[step].image for step in (0, 1)]
    )


def test_runs_of_one_length_are_shown_by_their_steps(pipe):
    comparison = sdnb.compare(pipe, SMALL.changed(steps=3), sampler=["euler", "heun"])
    assert make_flip_book(comparison).moments == ("step 0", "step 1", "step 2", "picture")


def test_cells_without_a_picture_say_why(pipe):
    # given
    def fail(_event):
        raise ValueError("stop")

    hooks = [Hooks(), Hooks(on_step=(fail,))]
    comparison = sdnb.compare(pipe, SMALL, steps=2, hooks=hooks)

    # when
    book = make_flip_book(comparison)

    # then
    assert {page[1] for page in book.pages} == {"HookError"}
    assert all(page[0].size == (32, 32) for page in book.pages)


def test_runs_that_kept_no_states_are_refused(pipe):
    with pytest.raises(InvalidField, match="kept none"):
        make_flip_book(sdnb.compare(pipe, SMALL, steps=[1], keep="none"))
