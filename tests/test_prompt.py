r"""Prompts as practitioners write them: weights, breaks, words that change on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnb.prompt import SYNTAXES, edited, read_chunks, read_weights

TEXTS = st.text(alphabet="ab ()[]:.\\1BREAK", max_size=40)


def weights(prompt: str, syntax: str) -> list[tuple[str, float]]:
    return [
        (piece.text.strip(), round(piece.weight, 4))
        for piece in read_weights(prompt, syntax)
        if piece.text.strip()
    ]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", [("a cat", 1)]),
        ("a (cat) here", [("a", 1), ("cat", 1.1), ("here", 1)]),
        ("((cat))", [("cat", 1.21)]),
        ("(cat:1.3)", [("cat", 1.3)]),
        ("((cat:1.3))", [("cat", 1.3)]),
        ("(a (b:1.5) c:1.2)", [("a", 1.2), ("b", 1.5), ("c", 1.2)]),
        ("(cat:-0.5)", [("cat", -0.5)]),
        ("(cat:.5)", [("cat", 0.5)]),
        ("(time: now)", [("time: now", 1.1)]),
        ("[cat]", [("[", 1), ("cat", 1), ("]", 1)]),
        (r"\(cat\)", [("(", 1), ("cat", 1), (")", 1)]),
        ("a (cat", [("a", 1), ("(", 1), ("cat", 1)]),
        ("cat)", [("cat", 1), (")", 1)]),
        ("()", []),
        ("", []),
    ],
)
def test_brackets_in_comfyui_s_meaning(prompt, expected):
    assert weights(prompt, "comfyui") == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("(cat)", [("cat", 1.1)]),
        ("[cat]", [("cat", 0.9091)]),
        ("((cat:1.3))", [("cat", 1.43)]),
        ("(a (b:1.5) c:1.2)", [("a", 1.2), ("b", 1.8), ("c", 1.2)]),
        ("([cat])", [("cat", 1)]),
        ("(a cat", [("a cat", 1.1)]),
        ("[a cat", [("a cat", 0.9091)]),
        (r"\[cat\]", [("[", 1), ("cat", 1), ("]", 1)]),
    ],
)
def test_brackets_in_a1111_s_meaning(prompt, expected):
    assert weights(prompt, "a1111") == expected


@given(TEXTS, st.sampled_from(sorted(SYNTAXES)))
def test_every_piece_stands_in_the_prompt_where_it_says(prompt, syntax):
    pieces = [piece for chunk in read_chunks(prompt, syntax) for piece in chunk]
    ends = [0]
    for piece in pieces:
        assert prompt[piece.start : piece.start + len(piece.text)] == piece.text
        assert piece.start >= ends[-1]
        ends.append(piece.start + len(piece.text))


def test_breaks_part_a_prompt_wherever_they_stand():
    chunks = read_chunks("a cat BREAK (a dog BREAK a fish:1.2)BREAKER", "comfyui")
    said = [[piece.text.strip() for piece in chunk] for chunk in chunks]
    assert said == [["a cat"], ["a dog"], ["a fish", "BREAKER"]]
    assert [piece.weight for piece in chunks[1]] == [1.2]


def test_a_break_at_the_end_begins_nothing():
    assert len(read_chunks("a cat BREAK", "comfyui")) == 1
    assert read_chunks("", "comfyui") == [[]]


def test_plain_text_has_no_meaning_but_its_own():
    prompt = "(a cat:1.3) BREAK [b:c:0.5]"
    ((piece,),) = read_chunks(prompt, "plain")
    assert (piece.text, piece.weight) == (prompt, 1)
    assert edited(prompt, 10, "plain") == [(0, prompt)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", [(0, "a cat")]),
        ("a [cat:dog:0.5]", [(0, "a cat"), (5, "a dog")]),
        ("a [cat:dog:3]", [(0, "a cat"), (3, "a dog")]),
        ("a cat[: with a hat:4]", [(0, "a cat"), (4, "a cat with a hat")]),
        ("a [red ::4]cat", [(0, "a red cat"), (4, "a cat")]),
        ("[a:b:2] [c:d:6]", [(0, "a c"), (2, "b c"), (6, "b d")]),
        ("[[a:b:2]:c:6]", [(0, "a"), (2, "b"), (6, "c")]),
        ("[a:b:0]", [(0, "b")]),
        ("[a:b:1.0]", [(0, "a")]),
        ("[red:(blue:1.5):0.5] circle", [(0, "red circle"), (5, "(blue:1.5) circle")]),
        ("[(red:1.2):(blue:1.5):5]", [(0, "(red:1.2)"), (5, "(blue:1.5)")]),
        ("a cat[ with a hat:0.5]", [(0, "a cat"), (5, "a cat with a hat")]),
        ("[a|b]", [(0, "[a|b]")]),
        ("[a:b:10]", [(0, "a")]),
        ("[(a:1.2):b:5]", [(0, "(a:1.2)"), (5, "b")]),
        (r"\[a:b:5]", [(0, r"\[a:b:5]")]),
        ("[cat]", [(0, "[cat]")]),
    ],
)
def test_words_change_on_the_way(prompt, expected):
    assert edited(prompt, 10, "comfyui") == expected


@given(TEXTS, st.integers(1, 30))
def test_the_first_words_hold_from_the_first_step(prompt, steps):
    said = edited(prompt, steps, "a1111")
    assert [step for step, _ in said] == sorted({step for step, _ in said})
    assert said[0][0] == 0 and said[-1][0] < steps
