"""Cells in numbers: distances are zero to themselves, fall with steps, and are told honestly."""

import sys
from dataclasses import replace
from math import inf
from random import Random
from types import SimpleNamespace

import pytest
from PIL import Image

import sdnb
from sdnb.comparison import solution
from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import cross
from sdnb.comparison.scores import HEADINGS, Score, Scores
from sdnb.errors import HookError, InvalidField, UnknownName
from sdnb.events import Hooks
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.training.captions import write_prompt
from sdnb.training.world import draw, sample_scene

SMALL = GenerationRequest(prompt="a red <circle>", seed=3, width=32, height=32)


@pytest.fixture(scope="module")
def comparison(tiny):
    return sdnb.compare(tiny, SMALL, sampler=["euler", "heun", "euler_ancestral"], steps=[4, 8, 16])


@pytest.fixture(scope="module")
def scores(comparison):
    """Distances to a solution sure to 6e-4: 60 steps, where users get 200."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(solution, "STEPS", 60)
        patched.setattr(solution, "CHECK_STEPS", 40)
        return comparison.scores()


def row(name, evaluations, error, left_out=""):
    return Score(
        name=name,
        labels={"sampler": name},
        sampler=name,
        evaluations=evaluations,
        latent_rmse=error,
        left_out=left_out,
    )


def test_a_cell_measured_against_itself_is_at_distance_zero(comparison):
    # when
    rows = comparison.scores({"sampler": "heun", "steps": 16})

    # then
    own = next(each for each in rows if each.name == "heun, steps 16")
    assert (own.latent_rmse, own.pixel_rmse, own.psnr) == (0, 0, inf)
    assert own.left_out == "the reference itself"
    assert all(each.latent_rmse > 0 for each in rows if each is not own)
    assert own not in rows.ranked


def test_the_distance_of_an_ode_sampler_to_its_solution_falls_with_steps(scores):
    for sampler in ("euler", "heun"):
        errors = [each.latent_rmse for each in scores if each.sampler == sampler]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < errors[0] / 2
        gains = [each.psnr for each in scores if each.sampler == sampler]
        assert gains == sorted(gains)
    assert all(each.floor < 1e-3 < each.latent_rmse for each in scores)


def test_noise_of_its_own_is_measured_but_not_ranked(scores):
    noisy = [each for each in scores if each.sampler == "euler_ancestral"]
    assert {each.left_out for each in noisy} == {"noise of its own"}
    assert all(each.latent_rmse > 0 for each in noisy)
    assert not {each.name for each in noisy} & {each.name for each in scores.ranked}


def test_where_cells_have_different_goals_this_is_said(tiny, monkeypatch):
    monkeypatch.setattr(solution, "STEPS", 3)
    monkeypatch.setattr(solution, "CHECK_STEPS", 3)
    comparison = sdnb.compare(
        tiny, SMALL.changed(steps=1), seed=[1, 2], schedule=["karras", "beta"]
    )
    goal = comparison.scores().goal
    assert "its own ODE (399 evaluations, sure to " in goal and goal.endswith("; 2 ODEs)")


def test_psnr_is_the_pixel_distance_in_decibels(scores):
    for each in scores:
        assert 10 ** (-each.psnr / 20) == pytest.approx(each.pixel_rmse)
        assert 0 < each.pixel_rmse < 1


def test_a_table_has_a_row_for_each_cell_and_names_those_that_failed(tiny):
    # given
    def fail(_event):
        raise ValueError("<stop>")

    hooks = [Hooks(), Hooks(on_step=(fail,))]
    comparison = sdnb.compare(tiny, SMALL, steps=[1, 2], hooks=hooks)

    # when
    rows = comparison.scores({"steps": 1, "hooks": "no hooks"})

    # then
    assert [each.labels["steps"] for each in rows] == ["1", "1", "2", "2"]
    assert rows.rows[3].left_out.startswith("HookError")
    assert rows.rows[3].evaluations is None
    bundle = rows._repr_mimebundle_()
    assert bundle["text/html"].count("<tr>") == 5
    assert bundle["text/html"].count("HookError") == 2
    assert bundle["text/plain"].count("HookError") == 2
    with pytest.raises(HookError):
        comparison.scores({"steps": 1, "hooks": "step:fail"})


def test_cells_to_come_are_told_as_such(tiny):
    comparison = Comparison(cross(SMALL, {"steps": [1, 2]}), Lockstep(tiny))
    assert {each.left_out for each in comparison.scores()} == {"not computed"}


def test_a_cell_of_another_size_has_no_distance(tiny):
    comparison = sdnb.compare(tiny, SMALL.changed(steps=1), width=[32, 40])
    _, other = comparison.scores({"width": 32})
    assert (other.latent_rmse, other.left_out) == (None, "another size")


def test_a_reference_that_is_not_there_is_refused(comparison):
    with pytest.raises(UnknownName, match="sampler"):
        comparison.scores({"smpler": "heun"})
    with pytest.raises(InvalidField, match="cells have these values"):
        comparison.scores({"sampler": "heun"})


def test_a_solution_that_fails_leaves_the_others(tiny, monkeypatch):
    # given
    monkeypatch.setattr(solution, "STEPS", 3)
    monkeypatch.setattr(solution, "CHECK_STEPS", 3)

    def fail(event):
        if event.total == 3:
            raise ValueError("stop")

    hooks = [Hooks(), Hooks(on_step=(fail,))]

    # when
    first, second = sdnb.compare(tiny, SMALL.changed(steps=2), hooks=hooks).scores()

    # then
    assert first.latent_rmse > 0
    assert (second.latent_rmse, second.left_out) == (None, "no solution")
    assert second.evaluations == 2


def test_the_front_is_what_no_other_cell_beats_in_both():
    # given
    rows = [
        row("a", 10, 0.5),
        row("b", 20, 0.1),
        row("c", 20, 0.2),
        row("d", 15, 0.6),
        row("e", 40, 0.1),
        row("f", 5, 0.9),
        row("g", 5, 0.01, left_out="noise of its own"),
    ]

    # when
    front = Scores(tuple(rows), "").front

    # then
    def beats(one, other):
        as_good = one.evaluations <= other.evaluations and one.latent_rmse <= other.latent_rmse
        return as_good and one != other

    ranked = rows[:-1]
    assert list(front) == sorted(
        (each for each in ranked if not any(beats(other, each) for other in ranked)),
        key=lambda each: each.evaluations,
    )
    assert [each.name for each in front] == ["f", "a", "b"]


def test_what_is_nearer_than_the_goal_is_sure_is_ranked_by_its_cost():
    rows = (row("a", 10, 0.5), row("b", 20, 0.02), row("c", 40, 0.01))
    unsure = tuple(replace(each, floor=0.03) for each in rows)

    assert Scores(rows, "").ranked[0].name == "c"
    assert [each.name for each in Scores(unsure, "").ranked] == ["b", "c", "a"]
    assert [each.name for each in Scores(unsure, "").front] == ["a", "b"]


def test_the_table_is_escaped_and_says_what_distances_are_to(scores):
    bundle = scores._repr_mimebundle_()
    assert "converged solution (399 evaluations, sure to " in bundle["text/html"]
    assert "converged solution (399 evaluations, sure to " in bundle["text/plain"]
    told = Scores((row("<b>", 1, 0.1),), "<i>")._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;" in told
    assert "<b>" not in told
    assert "<i>" not in told


def test_without_pandas_the_table_is_the_scores_themselves(comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if it were not installed
    table = comparison.table({"sampler": "heun", "steps": 16})
    assert isinstance(table, Scores)
    assert len(table) == len(list(table)) == 9


def test_with_pandas_the_table_is_a_dataframe_of_the_same_rows(scores, monkeypatch):
    # given
    class DataFrame:
        def __init__(self, records):
            self.records, self.attrs = records, {}

    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=DataFrame))

    # when
    frame = scores.table()

    # then
    assert frame.records == scores.records
    assert list(frame.records[0]) == ["sampler", "steps", *HEADINGS]
    assert "converged" in frame.attrs["distances to"]


@pytest.fixture
def drawn(tiny):
    """Return a comparison of the world's own pictures: the second shows its prompt."""
    first, second = (sample_scene(Random(seed)) for seed in (1, 2))
    comparison = sdnb.compare(tiny, write_prompt(second, Random(3)), seed=1, steps=[1, 2])
    comparison.results = [
        replace(result, images=(Image.fromarray(draw(scene).picture),))
        for result, scene in zip(comparison.results, (first, second), strict=True)
    ]
    return comparison


def test_pictures_are_judged_by_what_their_prompt_says(drawn):
    assert [each.matches_prompt for each in drawn.scores({"steps": 1})] == [False, True]


def test_the_cheapest_that_shows_what_the_prompt_says_is_best_by_the_prompt(drawn):
    assert drawn.best(by="prompt").score.name == "steps 2"


@pytest.mark.parametrize("change", [{"prompt": "a dragon"}, {"width": 64}])
def test_prompts_and_sizes_that_the_world_has_not_are_not_judged(tiny, change):
    request = GenerationRequest(prompt="a red circle", seed=1).changed(**change)
    (row,) = sdnb.compare(tiny, request, steps=[1]).scores({"steps": 1})
    assert row.matches_prompt is None


def test_other_checkpoints_are_not_judged(tiny):
    other = Pipeline(replace(tiny.components, reference="a folder"))
    comparison = sdnb.compare(other, "a red circle on a meadow", seed=1, steps=[1])
    assert comparison.scores({"steps": 1}).rows[0].matches_prompt is None


def test_weights_do_not_keep_a_picture_from_being_judged(tiny):
    weighed, changing = "a (red:1.2) circle in the snow", "a [red:blue:0.5] circle"
    comparison = sdnb.compare(tiny, seed=9, steps=4, prompt=[weighed, changing])
    judged = [row.matches_prompt is not None for row in comparison.scores({"prompt": weighed})]
    assert judged == [True, False]
