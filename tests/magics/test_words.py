import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnb.errors import InvalidField, UnknownName
from sdnb.magics.words import Word, fill, split_words
from sdnb.written import quote

LINE_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


@given(st.lists(LINE_TEXT))
def test_quoted_words_are_read_back(texts: list[str]) -> None:
    # given
    line = " ".join(map(quote, texts))
    # when
    words = split_words(line)
    # then
    assert [word.text for word in words] == texts


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("a red circle", ["a", "red", "circle"]),
        ('"a red circle"', ["a red circle"]),
        ("'a red circle'", ["a red circle"]),
        ("a cat's house, the dogs' too", ["a", "cat's", "house,", "the", "dogs'", "too"]),
        (r"\(cat\) $5 {a|b} (dog:1.2)", [r"\(cat\)", "$5", "{a|b}", "(dog:1.2)"]),
        (r'"a \"big\" \(cat\)"', [r'a "big" \(cat\)']),
        ('--sampler="euler_ancestral eta=0.5"', ["--sampler", "euler_ancestral eta=0.5"]),
        ("--steps=5 a=b", ["--steps", "5", "a=b"]),
        ('""', [""]),
        ("", []),
    ],
)
def test_a_line_is_split_as_people_write_it(line: str, texts: list[str]) -> None:
    assert [word.text for word in split_words(line)] == texts


def test_an_open_quotation_mark_is_an_error() -> None:
    # given
    line = '"a red circle --steps 5'
    # when / then
    with pytest.raises(InvalidField, match="quotation mark"):
        split_words(line)


@pytest.mark.parametrize(
    ("word", "is_flag"),
    [
        (Word("--steps"), True),
        (Word("-o"), True),
        (Word("-3"), False),
        (Word("-"), False),
        (Word("--steps", is_quoted=True), False),
        (Word("a-b"), False),
    ],
)
def test_a_flag_starts_with_dashes_and_a_letter(word: Word, is_flag: bool) -> None:
    assert word.is_flag is is_flag


def test_only_plain_names_in_double_braces_are_filled_in() -> None:
    # given
    names = {"colour": "red", "n": 3, "größe": 1.5}
    text = "{{colour}} {colour} {{ n }} {{größe}} {{1+1}} {{a.b}} {a|{b|c}} $colour"
    # when
    filled = fill(text, names)
    # then
    assert filled == "red {colour} 3 1.5 {{1+1}} {{a.b}} {a|{b|c}} $colour"


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert fill("{{a}}", {"a": "{{b}}", "b": "no"}) == "{{b}}"


def test_a_missing_variable_lists_the_near_ones() -> None:
    # given
    names = {"colour": "red", "_colour": "blue", "function": print}
    # when
    with pytest.raises(UnknownName) as caught:
        fill("{{color}}", names)
    # then
    assert caught.value.given == "color"
    assert caught.value.allowed == "colour"
    assert "colour" in caught.value.fix


def test_only_texts_and_numbers_can_be_filled_in() -> None:
    # given
    names = {"thing": ["red"]}
    # when / then
    with pytest.raises(InvalidField, match="text or a number"):
        fill("{{thing}}", names)
