"""Errors against evaluations, and differences step by step, from values that were made up."""

from dataclasses import replace

import pytest

from sdnb.comparison.differences import Difference, Differences
from sdnb.comparison.scores import Score, Scores
from sdnb.errors import InvalidField
from sdnb.plots.compare import plot_differences, plot_scores
from sdnb.plots.theme import sampler_mark

COUNTS = (5, 10, 20, 40)


def rows(sampler, order, left_out="", **labels):
    return [
        Score(
            name=f"{sampler}, steps {count}",
            labels={"sampler": sampler, "steps": str(count), **labels},
            sampler=sampler,
            evaluations=count,
            seconds=0.1,
            latent_rmse=3.0 * count**-order,
            left_out=left_out,
        )
        for count in COUNTS
    ]


@pytest.fixture
def scores():
    noisy = rows("euler_ancestral", 3.0, left_out="noise of its own")
    return Scores((*rows("euler", 1.0), *rows("heun", 2.0), *noisy), "the converged solution")


@pytest.fixture
def differences():
    return Differences(
        reference="heun, steps 40",
        cells=tuple(
            Difference(name=name, sigmas=(14.6, 1.0, 0.1, 0.0), rmse=(0.0, 0.2, 0.4, end))
            for name, end in (("euler", 0.5), ("plms", 0.25))
        ),
    )


def named(figure, name):
    (trace,) = (trace for trace in figure.data if trace.name == name)
    return trace


def test_each_sampler_s_error_is_a_line_over_its_evaluations(scores):
    figure = plot_scores(scores)
    euler = named(figure, "euler")
    assert list(euler.x) == list(COUNTS)
    assert list(euler.y) == pytest.approx([3 / count for count in COUNTS])
    assert euler.line.color == sampler_mark("euler").colour
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")


def test_other_axes_have_lines_of_their_own(scores):
    cells = [*rows("heun", 2.0, cfg_scale="1"), *rows("heun", 1.0, cfg_scale="4")]
    figure = plot_scores(Scores(tuple(cells), ""))
    first, second = (named(figure, f"heun, cfg_scale {scale}") for scale in (1, 4))
    assert (first.line.color, first.line.dash) != (second.line.color, second.line.dash)


def test_the_front_and_the_best_are_marked_and_told(scores):
    # when
    figure = plot_scores(scores)

    # then
    front, best = named(figure, "Pareto front"), named(figure, "best")
    assert list(front.x) == [row.evaluations for row in scores.front]
    assert list(best.x) == [10, 20, 40]
    assert "best with at most 20 evaluations: heun, steps 20" in figure.layout.annotations[0].text
    assert "best with at most 20 evaluations: heun, steps 20" in figure.alt


def test_what_is_not_ranked_is_open_and_named(scores):
    figure = plot_scores(scores)
    assert named(figure, "euler_ancestral").marker.symbol.endswith("-open")
    assert not named(figure, "euler").marker.symbol.endswith("-open")
    assert "not ranked, noise of its own: euler_ancestral" in figure.layout.annotations[0].text


def test_a_cell_at_distance_zero_has_no_place_on_a_log_axis(scores):
    first, *others = scores.rows
    figure = plot_scores(Scores((replace(first, latent_rmse=0.0), *others), ""))
    assert list(named(figure, "euler").x) == [10, 20, 40]


def test_without_any_distance_the_reason_is_told():
    bare = Score(name="a", labels={}, sampler="a", left_out="not computed yet")
    with pytest.raises(InvalidField, match="not computed yet"):
        plot_scores(Scores((bare,), ""))


def test_differences_run_from_noise_to_the_finished_latents(differences):
    # when
    figure = plot_differences(differences)

    # then
    euler = named(figure, "euler")
    assert list(euler.y) == [0.0, 0.2, 0.4, 0.5]
    assert list(euler.customdata) == [14.6, 1.0, 0.1, 0.0]
    assert figure.layout.xaxis.autorange == "reversed"
    assert figure.layout.xaxis.tickvals[-1] == pytest.approx(euler.x[-1], rel=1e-3)
    assert figure.layout.xaxis.ticktext[-1] == "0"
    assert 0 < euler.x[-1] < 0.1


def test_the_reference_alone_is_no_comparison():
    with pytest.raises(InvalidField, match="no cell to compare"):
        plot_differences(Differences(reference="heun", cells=()))


def test_both_are_said_in_words_and_have_a_still_picture(drawn, scores, differences):
    for figure in (plot_scores(scores), plot_differences(differences)):
        assert drawn(figure).get("aria-label") == figure.alt
        titles = (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text)
        assert all("(" in title for title in titles)
