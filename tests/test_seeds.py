import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdnb.errors import UnknownName
from sdnb.seeds import read_after, seed_after

SEEDS = st.integers(0, 2**64 - 1)


@given(SEEDS, st.integers(1, 256))
def test_decrement_undoes_increment(seed: int, batch_size: int) -> None:
    # given
    there = seed_after(seed, batch_size=batch_size, after="increment")
    # when
    back = seed_after(there or 0, batch_size=batch_size, after="decrement")
    # then
    assert back == seed


@pytest.mark.parametrize(
    ("after", "seed"), [("fixed", 7), ("increment", 11), ("decrement", 3), ("randomize", None)]
)
def test_a_batch_of_four_moves_by_four(after: str, seed: int | None) -> None:
    assert seed_after(7, batch_size=4, after=after) == seed


def test_seeds_wrap_around() -> None:
    assert seed_after(2**64 - 1, batch_size=1, after="increment") == 0


def test_an_unknown_way_to_go_on_lists_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        read_after("incremental")
    assert "increment" in caught.value.fix
