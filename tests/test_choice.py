"""Choices: a name with its options, written and read back."""

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdnb.choice import Choice
from sdnb.errors import InvalidField
from sdnb.request import GenerationRequest

NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.from_regex(r"[a-z_]+", fullmatch=True).filter(lambda word: word not in ("inf", "nan"))
LISTS = st.lists(NUMBERS, min_size=1).map(tuple)
OPTIONS = st.dictionaries(WORDS, NUMBERS | st.booleans() | LISTS | WORDS).map(
    lambda options: tuple(options.items())
)


@pytest.mark.parametrize(
    "text",
    ["euler_ancestral eta=0.5", "a b=1 c=true d=x", "euler", "custom sigmas=14.6,5,1,0", "a b=1,"],
)
def test_a_choice_reads_what_it_writes(text):
    assert str(Choice.parse(text)) == text


@settings(deadline=None)
@given(options=OPTIONS)
def test_what_is_written_is_read_back(options):
    # given
    choice = Choice("name", options)

    # then
    assert Choice.parse(str(choice)) == choice
    assert pickle.loads(pickle.dumps(choice)) == choice
    assert hash(Choice.parse(str(choice))) == hash(choice)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("custom sigmas=14.6,5,1,0", (14.6, 5, 1, 0)),
        ("custom sigmas=14.6, 5,  1, 0", (14.6, 5, 1, 0)),
        ("custom sigmas=1e1,", (10.0,)),
        ("custom sigmas=14.6", 14.6),
        ("custom sigmas=14.6,five", "14.6,five"),
        ("custom sigmas=,", ","),
    ],
)
def test_numbers_with_commas_are_a_list(text, value):
    assert dict(Choice.parse(text).options) == {"sigmas": value}


def test_a_list_of_python_is_kept_as_plain_values():
    # given
    choice = Choice("custom", (("sigmas", [14.6, 5, 1, 0]),))
    request = GenerationRequest(schedule=choice)

    # when
    again = GenerationRequest.from_json(json.loads(json.dumps(request.to_json())))

    # then
    assert again == request
    assert again.schedule == Choice.parse("custom sigmas=14.6,5,1,0")
    assert hash(again) == hash(request)


@pytest.mark.parametrize(
    "value", [lambda _steps, _noise_schedule: [1, 0], None, [], [1, "x"], [True]]
)
def test_what_cannot_be_written_is_told_to_get_a_name(value):
    with pytest.raises(InvalidField, match=r"@sdnb\.schedule") as caught:
        Choice("custom", (("sigmas", value),))
    assert "list of numbers" in caught.value.allowed


@pytest.mark.parametrize("text", ["karras rho", "karras =7", "karras rho=", "custom 14.6,5,0"])
def test_an_option_without_name_or_value_is_refused(text):
    with pytest.raises(InvalidField, match="name=value"):
        Choice.parse(text)


@pytest.mark.parametrize("value", ["5", "true", "a b", "", "1e5", "nan"])
def test_a_word_that_would_be_read_as_something_else_is_refused(value):
    with pytest.raises(InvalidField, match="written down"):
        Choice("euler", (("mode", value),))
