"""``%sd tokens``, ``%sd nearest``, ``%sd vae``: on the real model."""

from pathlib import Path

import pytest
from PIL import Image

from sdnb.comparison.tokens import Split
from sdnb.errors import InvalidField, UnknownName
from sdnb.magics.complete import proposals
from sdnb.plots.figure import Figure
from tests.magics.conftest import Notebook


@pytest.mark.parametrize("text", ["a large blue house", '"a large blue house"'])
def test_tokens_are_those_of_the_text_with_quotes_or_without(real: Notebook, text: str) -> None:
    split = real.run(f"%sd tokens {text}")
    assert isinstance(split, Split)
    assert [token.piece for token in split.tokens] == ["a", "large", "blue", "house"]


def test_without_a_text_the_last_prompt_is_split_as_it_was_read(real: Notebook) -> None:
    # given
    real.run('%sd "a (red:1.5) cat" --steps 1')
    # when
    weighed, plain = real.run("%sd tokens"), real.run("%sd tokens --syntax plain")
    # then
    assert [token.weight for token in weighed.tokens] == [1, 1.5, 1]
    assert "(" in [token.piece for token in plain.tokens]


def test_nearest_ranks_tokens(real: Notebook) -> None:
    figure = real.run("%sd nearest red --count 3")
    assert isinstance(figure, Figure)
    assert len(figure.data[0].y) == 3
    with pytest.raises(InvalidField, match="nearest red"):
        real.run("%sd nearest")
    with pytest.raises(InvalidField, match="1 or more"):
        real.run("%sd nearest red --count 0")
    with pytest.raises(InvalidField, match="no such text encoder"):
        real.run("%sd nearest red --encoder 1")


def test_vae_takes_the_last_picture_or_a_file(real: Notebook, tmp_path: Path) -> None:
    # given
    Image.new("RGB", (64, 32), "red").save(tmp_path / "red.png")
    real.run("%sd a red circle --steps 1")
    # when
    last, file = real.run("%sd vae"), real.run(f"%sd vae --image {tmp_path}/red.png")
    # then
    assert "3×32×32" in last.alt and "3×32×64" in file.alt


def test_vae_without_a_picture_says_so(real: Notebook) -> None:
    with pytest.raises(InvalidField, match="draw"):
        real.run("%sd vae")
    with pytest.raises(UnknownName, match="--image"):
        real.run("%sd vae --picture x.png")


def test_flags_of_the_commands_are_completed() -> None:
    assert "tokens" in proposals("tok", {})
    assert proposals("tokens a cat --syn", {}) == ["--syntax"]
    assert "a1111" in proposals("tokens a cat --syntax ", {})
    assert proposals("vae --im", {}) == ["--image"]
