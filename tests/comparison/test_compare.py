"""A comparison computes each cell as if alone, once, and keeps what is finished."""

from shutil import copytree

import pytest
import torch

import sdnb
from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.latents import project
from sdnb.comparison.plan import cross
from sdnb.errors import HookError, InvalidField, UnknownName
from sdnb.events import Hooks
from sdnb.request import GenerationRequest
from sdnb.training.evaluate import TINY

PROMPT = "a large blue house on a meadow"


def test_every_cell_is_its_lone_run(pipe):
    comparison = sdnb.compare(
        pipe, PROMPT, seed=7, sampler=["euler", "dpmpp_2m"], steps=[2, 4], cfg_scale=[1.0, 4.0]
    )

    assert comparison.is_complete
    for cell, result in zip(comparison.plan.cells, comparison.results, strict=True):
        alone = pipe.run(cell.request)
        distance = (result.latents - alone.latents).norm() / alone.latents.norm()
        assert float(distance) < 1e-4
        assert result.evaluations == alone.evaluations
    assert len(comparison.calls[0]) == 8


def test_an_exact_comparison_is_equal_to_its_lone_runs_to_the_last_bit(pipe):
    axes = {"sampler": ["euler", "heun"], "steps": [2, 3]}
    comparison = sdnb.compare(pipe, PROMPT, seed=7, exact=True, **axes)

    for cell, result in zip(comparison.plan.cells, comparison.results, strict=True):
        assert torch.equal(result.latents, pipe.run(cell.request).latents)
    assert all(len(asked) <= 1 for asked in comparison.calls)


def test_it_can_be_watched_while_it_fills(pipe):
    # given
    request = GenerationRequest(prompt=PROMPT, seed=7)
    comparison = Comparison(cross(request, {"steps": [1, 3, 1]}), Lockstep(pipe))
    # when: until the short run has ended
    rounds = comparison.rounds()
    progress = [comparison.steps]
    while comparison.results[0] is None:
        next(rounds)
        progress.append(comparison.steps)
    previews = comparison.previews()
    drawn = comparison.draw(previews)
    # then
    assert progress == sorted(progress)
    assert progress[0] == (0, 4)
    assert set(previews) == {1}
    assert drawn.count("<img") == 3
    assert drawn.count("evaluations") == 2
    for _ in rounds:
        continue
    assert comparison.steps == (4, 4)


def test_equal_cells_run_once_and_share_their_result(pipe):
    comparison = sdnb.compare(pipe, PROMPT, seed=7, steps=[2, 3, 2])

    assert comparison.results[0] is comparison.results[2]
    assert comparison.results[0] is not comparison.results[1]
    assert max(number for call in comparison.calls for number in call) == 1


def test_without_a_seed_all_cells_get_the_same(pipe):
    comparison = sdnb.compare(pipe, PROMPT, steps=[1, 2])
    seeds = {result.request.seed for result in comparison.results}
    assert len(seeds) == 1


def test_a_cell_is_found_by_its_values(pipe):
    axes = {"sampler": ["euler", "heun"], "cfg_scale": [1.0, 2.5]}
    comparison = sdnb.compare(pipe, PROMPT, seed=7, steps=1, **axes)

    assert comparison.at(sampler="heun", cfg_scale=2.5) is comparison.results[3]
    with pytest.raises(InvalidField, match="2 cells"):
        comparison.at(sampler="heun")
    with pytest.raises(UnknownName, match="sampler"):
        comparison.at(smpler="heun")
    with pytest.raises(UnknownName, match=r"2\.5"):
        comparison.at(sampler="heun", cfg_scale=3.0)


def test_the_prompt_may_be_an_axis_over_a_request(pipe):
    request = GenerationRequest(prompt=PROMPT, seed=7, steps=1, width=64, height=64)
    alone = sdnb.compare(pipe, prompt=["a cat", "a dog"], steps=1, width=64, height=64)
    over = sdnb.compare(pipe, request, prompt=["a cat", "a dog"])

    for comparison in (alone, over):
        prompts = [result.request.prompt for result in comparison.results]
        assert prompts == ["a cat", "a dog"]
    assert over.results[0].seeds == (7,)


@pytest.mark.parametrize("zipped", [False, True])
def test_hooks_that_hold_for_all_are_no_axis(pipe, zipped):
    seen = []
    hooks = Hooks(on_step=(lambda event: seen.append(event.total),))
    comparison = sdnb.compare(pipe, PROMPT, seed=7, steps=[1, 2], hooks=hooks, zipped=zipped)

    assert [axis.name for axis in comparison.plan.axes] == ["steps"]
    assert sorted(seen) == [1, 2, 2]


def test_a_cell_that_fails_leaves_the_others(pipe):
    def fail(_event):
        raise ValueError("stop")

    hooks = [Hooks(), Hooks(on_step=(fail,))]
    comparison = sdnb.compare(pipe, PROMPT, seed=7, steps=2, hooks=hooks)

    assert comparison.results[0] is not None
    assert comparison.results[1] is None
    with pytest.raises(HookError, match="fail"):
        comparison.at(hooks="step:fail")
    assert "HookError" in comparison._repr_mimebundle_()["text/html"]


def test_an_interrupt_keeps_what_is_finished_and_the_rest_goes_on(pipe):
    # given
    interrupts = iter([False, True] + [False] * 10)

    def interrupt(_event):
        if next(interrupts):
            raise KeyboardInterrupt

    hooks = Hooks(on_model=(interrupt,))

    # when
    comparison = sdnb.compare(pipe, PROMPT, seed=7, steps=[1, 3], hooks=hooks)

    # then: both had their first question answered, or are begun again
    assert not comparison.is_complete
    with pytest.raises(InvalidField, match="resume"):
        comparison.at(steps=3)
    comparison.resume()
    assert comparison.is_complete
    alone = pipe.run(PROMPT, seed=7, steps=3)
    assert torch.allclose(comparison.results[1].latents, alone.latents, atol=1e-4)


def test_it_draws_itself_as_tables_with_alternative_texts(pipe):
    request = GenerationRequest(prompt="<b>", seed=7, steps=1)
    plan = cross(request, {"prompt": ["<i>", "a cat"], "seed": [1, 2], "steps": [1, 2]})
    html = Comparison(plan, Lockstep(pipe)).resume()._repr_mimebundle_()["text/html"]

    assert html.count("<table>") == 2
    assert html.count("<img") == 8
    assert 'alt="&lt;i&gt;, seed 2, steps 1"' in html
    assert "<i>" not in html
    assert "<caption>prompt a cat</caption>" in html


def test_cells_to_come_are_shown_as_such(pipe):
    comparison = Comparison(cross(GenerationRequest(seed=1), {"steps": [1, 2, 3]}), Lockstep(pipe))

    assert "…" in comparison._repr_mimebundle_()["text/html"]
    assert repr(comparison) == "<Comparison: 0 of 3 cells>"


def test_other_checkpoints_are_computed_with_their_own_networks(tiny, tmp_path):
    # given: the embedded model with another hash, and one that is not there
    other, missing = tmp_path / "other", tmp_path / "missing"
    copytree(TINY, other)
    config = other / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text() + "\n")
    # when
    comparison = sdnb.compare(
        tiny, PROMPT, seed=7, steps=2, checkpoint=["tiny", str(other), str(missing)]
    )
    # then
    assert [result is not None for result in comparison.results] == [True, True, False]
    assert torch.equal(comparison.results[0].latents, comparison.results[1].latents)
    assert comparison.results[1].request.checkpoint == str(other)
    assert "missing" in str(comparison.errors[2])


def test_the_paths_of_its_runs_are_named_by_their_cells(pipe):
    request = GenerationRequest(prompt="a red circle", seed=7, width=32, height=32)
    comparison = sdnb.compare(pipe, request, sampler=["euler", "heun"], steps=[2, 3])

    projection = project(comparison.results, comparison.plan.names)

    names = ["euler, steps 2", "euler, steps 3", "heun, steps 2", "heun, steps 3"]
    assert [each.name for each in projection.trajectories] == names


def test_a_cell_is_found_by_its_hooks_and_by_its_zipped_values(pipe):
    # given
    class Looking:
        __hash__ = None  # as of a plain dataclass

        def __call__(self, _event):
            return None

    hooks = [Hooks(), Hooks(on_step=(Looking(),))]
    small = {"seed": 7, "width": 32, "height": 32}
    # when
    hooked = sdnb.compare(pipe, PROMPT, steps=1, hooks=hooks, **small)
    zipped = sdnb.compare(
        pipe, PROMPT, steps=[1, 2], sampler=["euler", "heun"], zipped=True, **small
    )
    # then
    assert hooked.at(hooks=hooks[1]) is hooked.results[1]
    assert hooked.at(hooks="no hooks") is hooked.results[0]
    assert zipped.at(sampler="heun") is zipped.at(steps=2) is zipped.results[1]


def test_a_failed_cell_can_be_tried_again(pipe):
    # given
    fails = [True]

    def fail(_event):
        if fails:
            fails.pop()
            raise ValueError

    hooks = Hooks(on_step=(fail,))
    comparison = sdnb.compare(pipe, PROMPT, seed=7, steps=[1, 2], hooks=hooks, width=32, height=32)
    # when
    failed = len(comparison.errors)
    comparison.retry()
    # then
    assert failed == 1
    assert not comparison.errors and all(comparison.results)
