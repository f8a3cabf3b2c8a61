"""The best cell, and the sentence that says what this is based on."""

import pytest

import sdnb
from sdnb.errors import InvalidField, UnknownName
from sdnb.events import Hooks

PROMPT = "a red circle on a meadow"
REFERENCE = {"sampler": "heun", "steps": 12}


@pytest.fixture(scope="module")
def comparison(pipe):
    return sdnb.compare(
        pipe, PROMPT, seed=1, sampler=["euler", "heun", "euler_ancestral"], steps=[2, 6, 12]
    )


def test_the_best_is_the_nearest_of_those_that_cost_no_more(comparison):
    # when
    best = comparison.best(evaluations=12, reference=REFERENCE)

    # then
    fitting = [row for row in comparison.scores(REFERENCE) if row.evaluations <= 12]
    ranked = [row.latent_rmse for row in fitting if row.sampler != "euler_ancestral"]
    assert best.score.latent_rmse == min(ranked)
    assert best.result is comparison.at(**best.score.labels)
    assert best.score.evaluations <= 12


def test_the_verdict_says_what_it_is_based_on(comparison):
    # when
    best = comparison.best(evaluations=12, reference=REFERENCE)

    # then
    assert best.verdict == (
        f"{best.score.name}: latent RMSE {best.score.latent_rmse:.3g} to heun, steps 12 "
        f"with {best.score.evaluations} evaluations, the best of 5 cells with at most 12; "
        "left out: 3 (noise of its own); one prompt, one seed"
    )
    assert "\n" not in best.verdict


def test_the_reference_itself_is_not_the_best(comparison):
    assert comparison.best(reference=REFERENCE).score.labels != {"sampler": "heun", "steps": "12"}


def test_by_seconds_the_fastest_is_best(comparison):
    best = comparison.best(by="seconds")
    assert best.result.seconds == min(result.seconds for result in comparison.results)
    assert "the fastest of 9 cells" in best.verdict


def test_nothing_is_solved_for_what_needs_no_distance(comparison, monkeypatch):
    monkeypatch.setattr(type(comparison), "solutions", None)
    comparison.best(by="seconds")


def test_several_seeds_and_failures_are_told(pipe):
    # given
    def fail(_event):
        raise ValueError("stop")

    comparison = sdnb.compare(
        pipe, PROMPT, seed=[1, 2], steps=1, hooks=[Hooks(), Hooks(on_step=(fail,))]
    )

    # when
    verdict = comparison.best(by="seconds").verdict

    # then
    assert verdict.endswith("; one prompt, 2 seeds")
    assert "left out: 2 (HookError" in verdict


def test_other_ways_to_rank_are_refused(comparison):
    with pytest.raises(UnknownName, match="distance"):
        comparison.best(by="distanc")


def test_where_no_picture_shows_the_prompt_this_is_said(pipe):
    comparison = sdnb.compare(pipe, PROMPT, seed=1, steps=[1])
    with pytest.raises(InvalidField, match=r"by prompt(.|\n)*1 \(shows something else\)"):
        comparison.best(by="prompt")


def test_where_no_cell_fits_this_is_said(comparison):
    with pytest.raises(InvalidField, match="no cell can be ranked by seconds"):
        comparison.best(by="seconds", evaluations=1)


def test_it_draws_its_picture_with_the_verdict(comparison):
    bundle = comparison.best(by="seconds")._repr_mimebundle_()
    assert bundle["text/html"].count("<img") == 1
    assert "the fastest of 9 cells" in bundle["text/html"]
    assert "the fastest of 9 cells" in bundle["text/plain"]
