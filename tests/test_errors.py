"""Errors say four things, survive pickling, and draw themselves shortly."""

import pickle

from sdnb.errors import InvalidField, UnknownName


def test_an_error_says_all_four_parts():
    error = InvalidField("it failed.", given=3, allowed="1 or 2", fix="use 2")
    assert str(error).splitlines() == [
        "it failed.",
        "  given:   3",
        "  allowed: 1 or 2",
        "  fix:     use 2",
    ]


def test_an_error_travels_between_processes_whole():
    error = UnknownName.among("sampler", "eulr", ["heun", "euler"])
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is UnknownName
    assert str(copy) == str(error)


def test_a_notebook_shows_no_traceback():
    assert InvalidField("no.")._render_traceback_() == ["InvalidField: no."]
