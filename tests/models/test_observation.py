"""What was seen: kept as far as the budget allows, and drawn."""

import pytest
import torch

from sdnb.models.observation import Observation, ObservedStep


@pytest.fixture
def step():
    x = torch.tensor([1.0, 3.0]).reshape(1, 1, 2)
    return ObservedStep(
        index=0,
        t=999.0,
        sigma=14.5,
        sigma_next=None,
        x=x,
        prediction=(x, x + 2),
        guided=x,
        x_next=x,
    )


def test_a_table_shows_each_step_with_mean_and_deviation(step):
    # given
    seen = Observation("FluxPipeline", 1000, [step])

    # when
    bundle = seen._repr_mimebundle_()

    # then
    for text in bundle.values():
        for part in ("FluxPipeline", "1 step", "[1, 1, 2]", "999", "14.5", "2 ± 1", "3 ± 1.41"):
            assert part in text
    assert bundle["text/plain"].startswith(repr(seen))


def test_what_is_not_known_is_a_dash(step):
    unknown = ObservedStep(**{**vars(step), "t": None, "sigma": None, "prediction": ()})
    row = Observation("Any", 1000, [unknown])._repr_mimebundle_()["text/plain"].splitlines()[-1]
    assert row.split() == ["0", "–", "–", "2", "±", "1", "–", "0"]


def test_words_are_escaped(step):
    bundle = Observation("<script>", 1000, [step])._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]


def test_nothing_seen_can_be_drawn():
    bundle = Observation("Any", 1000)._repr_mimebundle_()
    assert "0 steps" in bundle["text/plain"]


def test_beyond_the_budget_steps_are_counted_and_said(step):
    # given
    seen = Observation("Any", 2 * step.nbytes + 1)

    # when
    for _ in range(5):
        seen.add(step)

    # then
    assert step.nbytes == 5 * 2 * 4
    assert (len(seen.steps), seen.unkept) == (2, 3)
    assert "3 more not kept" in repr(seen)
