"""The studio without a widget: held, stepped, rewound, branched, ended, and nothing is lost."""

import dataclasses
import threading
from itertools import count

import pytest
import torch
from PIL import Image

from sdnb.errors import InvalidField, LoadError, SdnbError
from sdnb.labs.studio import Studio
from sdnb.labs.watch import Watch
from sdnb.picture import FromImage
from sdnb.request import GenerationRequest

PROMPT = "a red circle on a meadow"
SMALL = {"prompt": PROMPT, "width": 64, "height": 64, "steps": 6, "seed": 7}
PATIENCE = 60.0


@pytest.fixture
def studio(pipe):
    studio = Studio(pipe)
    yield studio
    studio.stop()
    studio._worker.wait(PATIENCE)


@pytest.fixture(scope="module")
def whole(pipe):
    return pipe.run(GenerationRequest(**SMALL))


def held_at(studio, steps):
    """Step a new run so many times."""
    for _ in range(steps):
        studio.step(**(SMALL if studio.phase != "paused" else {}))
        assert studio.wait(PATIENCE)


def test_a_picture_is_that_of_plain_python(studio, whole):
    # when
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # then
    assert studio.phase == "finished"
    assert torch.equal(studio.result.latents, whole.latents)
    assert studio.shown.image == studio.result.images[0]
    assert len(studio.film.frames) == 6
    assert 5 in studio.film.exact


def test_the_form_begins_with_the_size_of_the_checkpoint(studio):
    assert (studio.form.width, studio.form.height) == (128, 128)


def test_bad_input_is_said_and_nothing_begins(studio):
    # when
    studio.generate(**{**SMALL, "width": 513})
    assert studio.wait(PATIENCE)

    # then
    assert set(studio.form.errors) == {"width"}
    assert (studio.phase, studio.result) == ("idle", None)


def test_steps_one_by_one_lead_to_the_same_picture(studio, whole):
    # when
    held_at(studio, 2)
    phase, step = studio.phase, studio.progress.step
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert (phase, step) == ("paused", 2)
    assert torch.equal(studio.result.latents, whole.latents)


def test_stepping_back_costs_no_evaluation_and_changes_nothing(studio, whole):
    # given
    held_at(studio, 4)

    # when
    steps = []
    for _ in range(4):
        studio.step_back()
        assert studio.wait(PATIENCE)
        steps.append(studio.progress.step)
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert steps == [3, 2, 1, 0]
    assert torch.equal(studio.result.latents, whole.latents)


def test_a_finished_run_can_be_rewound_and_goes_on_to_the_same_picture(studio, whole):
    # given
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # when
    studio.rewind(3)
    assert studio.wait(PATIENCE)
    held = studio.phase, studio.progress.step, len(studio.film.frames)
    studio.rewind(5)  # a later step of the same film
    assert studio.wait(PATIENCE)
    later = studio.progress.step
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert (held, later) == (("paused", 3, 6), 5)
    assert torch.equal(studio.result.latents, whole.latents)


def test_a_branch_is_told_what_is_typed_and_keeps_its_past(studio, whole, pipe):
    # given
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # when
    studio.branch(3, cfg_scale="8")
    assert studio.wait(PATIENCE)

    # then
    expected = pipe.branch(whole, 3, cfg_scale=8).finish()
    assert torch.equal(studio.result.latents, expected.latents)
    assert torch.equal(studio.result.trace.x[:4], whole.trace.x[:4])
    assert studio.film.begin == 3
    assert studio.result.request.cfg_scale == 8


def test_a_branch_can_be_rewound_before_its_own_beginning(studio, whole):
    # given
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)
    studio.branch(3, cfg_scale=8)
    assert studio.wait(PATIENCE)

    # when
    studio.rewind(1)
    assert studio.wait(PATIENCE)
    studio.resume()
    assert studio.wait(PATIENCE)

    # then: it goes on as the run did to which that step belongs
    assert torch.equal(studio.result.latents, whole.latents)


def test_a_branch_that_is_opened_alone_offers_no_step_before_its_beginning(studio, whole, pipe):
    # given: the run it comes from is not at hand
    branch = pipe.branch(whole, 3, cfg_scale=8).finish()
    studio.open(branch)
    assert studio.wait(PATIENCE)
    reach = studio.film.first, studio.film.reach

    # when
    studio.rewind(2)
    with pytest.raises(InvalidField, match="no such step"):
        studio.wait(PATIENCE)
    studio.rewind(3)
    for _ in range(2):
        studio.step_back()
    assert studio.wait(PATIENCE)

    # then
    assert reach == (3, 5)
    assert (studio.phase, studio.progress.step) == ("paused", 3)


def test_a_branch_of_a_run_at_hand_offers_all_its_steps(studio):
    studio.generate(**SMALL)
    studio.wait(PATIENCE)
    studio.branch(3, cfg_scale=8)
    studio.wait(PATIENCE)
    assert (studio.film.begin, studio.film.first) == (3, 0)


def test_a_held_run_branches_where_it_is(studio, pipe, whole):
    # given
    held_at(studio, 2)

    # when
    studio.branch(cfg_scale=1)
    assert studio.wait(PATIENCE)

    # then
    expected = pipe.branch(whole, 2, cfg_scale=1).finish()
    assert torch.equal(studio.result.latents, expected.latents)


def test_what_a_branch_cannot_change_is_said_beside_its_field_and_the_run_stays(studio, whole):
    # given
    held_at(studio, 2)

    # when
    studio.branch(width=128)
    assert studio.wait(PATIENCE)
    refused, held = set(studio.form.errors), (studio.phase, studio.progress.step)
    studio.form.width = 64
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert (refused, held) == ({"width"}, ("paused", 2))
    assert torch.equal(studio.result.latents, whole.latents)


def test_a_step_that_is_not_there_is_refused_and_the_run_stays(studio):
    # given
    held_at(studio, 2)

    # when
    studio.rewind(9)
    with pytest.raises(InvalidField, match="no such step"):
        studio.wait(PATIENCE)

    # then
    assert (studio.phase, studio.progress.step) == ("paused", 2)


def test_a_stopped_run_leaves_what_there_is_and_can_be_gone_on_with(studio, whole):
    # given
    held_at(studio, 3)

    # when
    studio.stop()
    assert studio.wait(PATIENCE)
    stopped = studio.phase, studio.result.interrupted, studio.result.trace.steps
    studio.rewind(3)
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert stopped == ("stopped", True, 3)
    assert torch.equal(studio.result.latents, whole.latents)


def test_pause_holds_a_running_run_and_leaves_no_thread(studio):
    # given
    seen = threading.Event()
    studio.observe(lambda _: seen.set(), "progress")
    studio.generate(**{**SMALL, "steps": 500})
    assert seen.wait(PATIENCE)

    # when
    studio.pause()
    assert studio.wait(PATIENCE)

    # then
    assert studio.phase == "paused"
    assert 0 < studio.progress.step < 500
    assert not studio._worker.is_busy


def test_a_new_run_takes_the_place_of_one_that_goes_on(studio, whole):
    # when
    studio.generate(**{**SMALL, "steps": 500})
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # then
    assert torch.equal(studio.result.latents, whole.latents)


def test_two_studios_on_one_pipeline_take_turns(pipe, whole):
    # given
    studios = [Studio(pipe), Studio(pipe)]

    # when
    for each in studios:
        each.generate(**SMALL)

    # then
    assert all(each.wait(PATIENCE) for each in studios)
    assert all(torch.equal(each.result.latents, whole.latents) for each in studios)


@pytest.mark.parametrize(
    ("after", "following"), [("fixed", 7), ("increment", 8), ("decrement", 6), ("randomize", None)]
)
def test_the_seed_that_was_used_and_the_next_one_are_two(studio, after, following):
    studio.generate(**{**SMALL, "steps": 1, "after": after})
    assert studio.wait(PATIENCE)
    assert studio.result.seeds == (7,)
    assert studio.form.seed == following


def test_a_failed_run_says_why_and_the_last_good_picture_stays(studio, poisoned, pipe):
    # given
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)
    good = studio.result
    handle = pipe.components.unet.conv_out.register_forward_hook(
        lambda _module, _inputs, output: output * float("nan")
    )

    # when
    try:
        studio.generate(**SMALL)
        with pytest.raises(SdnbError, match="NaN"):
            studio.wait(PATIENCE)
    finally:
        handle.remove()

    # then
    assert (studio.phase, studio.result) == ("finished", good)
    assert studio.shown.image == good.images[0]
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)


def test_a_lora_that_is_not_there_is_said_beside_its_field(studio):
    studio.generate(**{**SMALL, "loras": "nowhere.safetensors:0.5"})
    studio.wait(PATIENCE)
    assert isinstance(studio.form.errors["loras"], LoadError)
    assert studio.phase == "idle"


def test_a_frame_of_the_film_can_be_looked_at_exactly(studio, pipe):
    # given
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # when
    studio.look(2)
    assert studio.wait(PATIENCE)

    # then
    index, image = studio.closeup
    assert index == 2
    assert image == pipe.decode(studio.result.trace.denoised[2])[0]


def test_a_result_becomes_the_input_of_the_next(studio):
    # given
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # when
    studio.use_as_input()

    # then
    request = studio.form.request()
    assert isinstance(request.start, FromImage)
    assert request.start.picture.open() == studio.result.images[0]
    assert request.denoise == 0.6


def test_a_result_that_is_opened_can_be_branched(studio, whole, pipe):
    # when
    studio.open(whole)
    assert studio.wait(PATIENCE)
    studio.branch(2, prompt="a blue circle on a meadow")
    assert studio.wait(PATIENCE)

    # then
    expected = pipe.branch(whole, 2, prompt="a blue circle on a meadow").finish()
    assert torch.equal(studio.result.latents, expected.latents)


def test_another_checkpoint_is_loaded_for_the_next_run_in_its_own_size(pipe):
    # given
    small = pipe.sharing(dataclasses.replace(pipe.components, reference="small", size=64))
    loaded = []
    studio = Studio(pipe, load=lambda name: loaded.append(name) or small)
    finished(studio)
    studio.form.width = studio.form.height = 128

    # when
    studio.generate(checkpoint="small", width=128, height=128)
    assert studio.wait(PATIENCE)
    studio.generate()
    assert studio.wait(PATIENCE)

    # then
    assert (loaded, studio.pipe) == (["small"], small)
    assert studio.result.request.checkpoint == "small"
    assert studio.result.images[0].size == (64, 64)
    assert studio.form.width == 64


def test_a_checkpoint_that_cannot_be_loaded_is_said_beside_its_field_and_nothing_is_lost(studio):
    # given
    good = finished(studio)

    # when
    studio.generate(checkpoint="nowhere")
    assert studio.wait(PATIENCE)

    # then
    assert set(studio.form.errors) == {"checkpoint"}
    assert (studio.phase, studio.result) == ("finished", good)
    studio.form.checkpoint = "tiny"
    assert studio.form.errors == {}


def test_a_branch_keeps_its_checkpoint(studio):
    finished(studio)
    studio.branch(3, checkpoint="other")
    assert studio.wait(PATIENCE)
    assert set(studio.form.errors) == {"checkpoint"}
    assert studio.phase == "finished"


def test_the_embedded_model_can_always_be_chosen(studio):
    assert "tiny" in studio.checkpoints()


def test_a_recalled_request_is_typed_and_draws_the_same(studio, whole):
    studio.recall(whole.request)
    studio.generate()
    assert studio.wait(PATIENCE)
    assert torch.equal(studio.result.latents, whole.latents)


def test_updates_of_a_run_keep_their_distance(pipe):
    # given: a clock by which no time passes
    studio, ticks = Studio(pipe, clock=lambda: 0.0), count()
    studio.observe(lambda _: next(ticks), "shown")

    # when
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)

    # then: one look, and the picture at the end
    assert next(ticks) <= 2


def test_saving_without_a_picture_and_unknown_fields_say_what_to_do(studio, tmp_path):
    with pytest.raises(InvalidField, match="generate one first"):
        studio.save(str(tmp_path))
    with pytest.raises(SdnbError, match="cfg_scale"):
        studio.generate(cfg=3)


def test_the_picture_is_saved_with_its_request(studio, tmp_path):
    studio.generate(**SMALL)
    assert studio.wait(PATIENCE)
    (path,) = studio.save(str(tmp_path))
    with Image.open(path) as image:
        assert image.size == (64, 64)


MISSING = {"loras": "nowhere.safetensors:0.5"}


def finished(studio, **fields):
    studio.generate(**{**SMALL, **fields})
    assert studio.wait(PATIENCE)
    return studio.result


def test_clicks_that_come_quickly_are_all_steps(studio):
    # given
    held_at(studio, 1)

    # when
    for _ in range(3):
        studio.step()
    assert studio.wait(PATIENCE)
    forth = studio.progress.step
    for _ in range(2):
        studio.step_back()
    assert studio.wait(PATIENCE)

    # then
    assert (forth, studio.progress.step) == (4, 2)


def test_a_step_that_comes_after_the_end_leaves_the_result(studio):
    # given
    held_at(studio, 5)

    # when: the first makes the last step
    for _ in range(3):
        studio.step()
    assert studio.wait(PATIENCE)

    # then
    assert studio.phase == "finished"
    studio.resume()
    assert studio.wait(PATIENCE)
    assert studio.phase == "finished"


def test_a_look_does_not_end_a_branch_that_has_just_been_asked(studio, whole, pipe):
    # given
    finished(studio)

    # when
    studio.branch(3, cfg_scale=8)
    studio.look(2)
    assert studio.wait(PATIENCE)

    # then
    assert studio.phase == "finished"
    expected = pipe.branch(whole, 3, cfg_scale=8).finish()
    assert torch.equal(studio.result.latents, expected.latents)


@pytest.mark.parametrize("is_opened", [True, False])
def test_step_back_goes_back_from_the_end_of_a_result(studio, whole, is_opened):
    # given
    if is_opened:
        studio.open(whole)
    else:
        finished(studio)
    assert studio.wait(PATIENCE)
    end = studio.progress.step

    # when
    studio.step_back()
    assert studio.wait(PATIENCE)

    # then
    assert end == 6
    assert (studio.phase, studio.progress.step) == ("paused", 5)


def test_each_action_forgets_what_failed_before(studio):
    # given
    held_at(studio, 2)
    studio.rewind(9)
    with pytest.raises(InvalidField):
        studio.wait(PATIENCE)

    # when
    studio.rewind(1)

    # then
    assert studio.wait(PATIENCE)
    assert studio.progress.step == 1


def test_memory_that_runs_out_while_looking_holds_the_run(studio, monkeypatch, whole):
    # given
    held_at(studio, 2)

    def fail(*_):
        raise RuntimeError("CUDA out of memory")

    # when
    with monkeypatch.context() as patched:
        patched.setattr(Watch, "decode", fail)
        studio.step_back()
        with pytest.raises(SdnbError, match="out of memory"):
            studio.wait(PATIENCE)
        held = studio.phase, studio.progress.step
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert held == ("paused", 1)
    assert torch.equal(studio.result.latents, whole.latents)


def test_a_seed_that_is_typed_during_a_run_is_the_next(studio):
    # given
    held_at(studio, 2)

    # when
    studio.form.seed = "99"
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert (studio.result.seeds, studio.form.seed) == ((7,), "99")


def test_a_run_that_is_held_and_stopped_is_followed_by_the_next_seed(studio):
    studio.step(**{**SMALL, "after": "increment"})
    assert studio.wait(PATIENCE)
    studio.stop()
    assert studio.wait(PATIENCE)
    assert (studio.phase, studio.form.seed) == ("stopped", 8)


def test_a_branch_leaves_the_seed_that_is_typed(studio):
    # given
    finished(studio, after="increment")
    studio.form.seed = 7

    # when
    studio.branch(3)
    assert studio.wait(PATIENCE)

    # then
    assert studio.form.seed == 7


def test_a_lora_that_is_not_there_costs_neither_the_last_result_nor_the_seed(studio):
    # given
    good = finished(studio)

    # when
    studio.generate(**{**MISSING, "seed": 42})
    assert studio.wait(PATIENCE)

    # then
    assert (studio.phase, studio.result, studio.form.seed) == ("finished", good, 42)
    assert isinstance(studio.form.errors["loras"], LoadError)


def test_a_lora_that_is_not_there_leaves_a_held_run(studio, whole):
    # given
    held_at(studio, 2)

    # when
    studio.generate(**MISSING)
    assert studio.wait(PATIENCE)
    held = studio.phase, studio.progress.step
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert held == ("paused", 2)
    assert torch.equal(studio.result.latents, whole.latents)


def test_a_run_that_ends_before_its_first_answer_gives_back_the_last_result(studio, whole):
    # given
    good = finished(studio)
    studio._ask(lambda: studio._held.begin(GenerationRequest(**{**SMALL, "seed": 8})))
    assert studio.wait(PATIENCE)

    # when
    studio.stop()
    assert studio.wait(PATIENCE)
    shown = studio.phase, studio.shown.image, len(studio.film.frames)
    studio.rewind(3)
    studio.resume()
    assert studio.wait(PATIENCE)

    # then
    assert shown == ("finished", good.images[0], 6)
    assert torch.equal(studio.result.latents, whole.latents)


def test_decoded_frames_belong_to_their_own_film(studio, pipe):
    # given: a frame of one result, decoded
    finished(studio)
    studio.look(2)
    assert studio.wait(PATIENCE)
    other = pipe.run(GenerationRequest(**{**SMALL, "seed": 8}))

    # when
    studio.open(other)
    assert studio.wait(PATIENCE)
    exact = studio.film.exact
    studio.look(2)
    assert studio.wait(PATIENCE)

    # then
    assert exact == {5}
    assert studio.closeup[1] == pipe.decode(other.trace.denoised[2])[0]


def test_the_same_look_twice_is_news_twice(studio):
    # given
    finished(studio)
    seen = []
    studio.observe(lambda change: seen.append(change["new"]), "closeup")

    # when
    for _ in range(2):
        studio.look(2)
        assert studio.wait(PATIENCE)

    # then
    assert [index for index, _ in filter(None, seen)] == [2, 2]


def test_a_result_of_two_passes_is_shown_and_not_held(studio, pipe):
    # given
    result = pipe.run(GenerationRequest(**{**SMALL, "hires": "2x denoise=0.5"}))

    # when
    studio.open(result)
    assert studio.wait(PATIENCE)
    studio.rewind(2)
    with pytest.raises(InvalidField, match="two passes"):
        studio.wait(PATIENCE)

    # then
    assert (studio.phase, studio.result) == ("finished", result)
    assert studio.form.request().hires is None


def test_a_whole_denoise_is_one_however_it_is_typed(studio):
    finished(studio)
    studio.form.denoise = "1.0"
    studio.use_as_input()
    assert studio.form.denoise == 0.6
