"""The history's lab: pages, words, one entry at a time, and nothing deleted unasked."""

from itertools import chain

import pytest
import torch
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.labs.history import PAGE, HistoryLab
from sdnb.records.history import History
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.trace import Trace


def result(seed, prompt="a red circle", sampler="euler"):
    x = torch.zeros(1, 4, 2, 2)
    return Result(
        request=GenerationRequest(prompt=prompt, seed=seed, sampler=sampler, width=16, height=16),
        latents=x,
        images=(Image.new("RGB", (16, 16), (seed % 256, 0, 0)),),
        seeds=(seed,),
        seconds=0.1,
        evaluations=1,
        interrupted=False,
        notices=(),
        trace=Trace((), torch.stack([x]), torch.zeros(0, *x.shape), (), ()),
    )


@pytest.fixture
def history(tmp_path):
    return History(tmp_path)


def numbers(lab):
    return [entry.number for entry in lab.entries]


def test_pages_hold_every_entry_once_and_none_holds_more_than_a_page(history):
    # given
    count = 2 * PAGE + 3
    for seed in range(count):
        history.add(result(seed))
    lab = HistoryLab(history)

    # when
    pages = [numbers(lab)]
    while lab.has_older:
        lab.older()
        pages.append(numbers(lab))
    lab.older()
    lab.newer()
    back = numbers(lab)
    lab.newer()

    # then
    assert [len(page) for page in pages] == [PAGE, PAGE, 3]
    assert [*chain(*pages)] == list(range(count, 0, -1))
    assert back == pages[1]
    assert (numbers(lab), lab.has_newer) == (pages[0], False)


def test_words_and_sampler_narrow_what_is_found_from_the_first_page_on(history):
    # given
    for seed in range(PAGE + 1):
        history.add(result(seed))
    history.add(result(100, "a blue house", "heun"))
    history.add(result(101, "a red house", "heun"))
    lab = HistoryLab(history)
    lab.older()

    # when
    lab.text = "house blue"
    blue = numbers(lab)
    lab.text = ""
    lab.sampler = "heun"

    # then
    assert blue == [PAGE + 2]
    assert numbers(lab) == [PAGE + 3, PAGE + 2]
    assert not lab.has_newer


def test_one_entry_is_chosen_pinned_and_deleted(history):
    # given
    for seed in range(2):
        history.add(result(seed))
    lab = HistoryLab(history)
    lab.choose(1)

    # when
    lab.pin()
    pinned = lab.chosen.is_pinned, lab.entries[1].is_pinned
    lab.pin()
    file = lab.chosen.pictures[0].file
    there = file.exists()
    lab.delete()

    # then
    assert pinned == (True, True)
    assert there and not file.exists()
    assert (lab.chosen, numbers(lab)) == (None, [2])


def test_without_a_choice_nothing_is_deleted(history):
    history.add(result(1))
    lab = HistoryLab(history)
    with pytest.raises(InvalidField, match="choose one first"):
        lab.delete()
    with pytest.raises(InvalidField):
        lab.choose(99)
    assert numbers(lab) == [1]


def test_a_history_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "history.sqlite").write_bytes(b"no database" * 100)
    lab = HistoryLab(History(tmp_path))
    assert "cannot be read" in lab.failure.what
    assert numbers(lab) == []


def test_a_page_whose_last_entry_was_deleted_gives_way_to_the_one_before(history):
    # given: one entry on the second page
    for seed in range(PAGE + 1):
        history.add(result(seed))
    lab = HistoryLab(history)
    lab.older()
    lab.choose(1)

    # when
    lab.delete()

    # then
    assert numbers(lab) == list(range(PAGE + 1, 1, -1))
    assert (lab.has_newer, lab.has_older) == (False, False)
