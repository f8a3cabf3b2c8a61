"""A run as a film: what its frames are, how long they stay, what the file says."""

import gc
import pickle
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image, ImageSequence

import sdnb
from sdnb import animation
from sdnb.comparison.latents import film
from sdnb.errors import InvalidField
from sdnb.pipeline import Pipeline

PROMPT = "a <large> red circle on a meadow"


@pytest.fixture(scope="module")
def result(tiny):
    return tiny.run(PROMPT, seed=7, steps=4, batch_size=2)


def frames_of(path):
    with Image.open(path) as film:
        return [
            (frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(film)
        ]


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".WEBP"])
def test_the_film_is_every_estimate_and_then_the_picture(tiny, result, tmp_path, suffix):
    # when
    path = result.save_animation(tmp_path / f"run{suffix}", frame_seconds=0.2, last_seconds=1.0)

    # then
    shown = frames_of(path)
    assert [duration for _, duration in shown] == [200] * 3 + [1200]  # the last is the picture
    rows = [film(tiny, result, index=index) for index in (0, 1)]
    wanted = [[row[step].image for row in rows] for step in range(3)] + [list(result.images)]
    for (frame, _), images in zip(shown, wanted, strict=True):
        assert frame.size == (256, 128)
        for index, image in enumerate(images):
            part = frame.crop((128 * index, 0, 128 * index + 128, 128))
            assert difference(part, image) < 12


def difference(one, other):
    """Mean distance of two pictures' values, 0 … 255; a GIF has 256 colours only."""
    pairs = list(zip(one.tobytes(), other.tobytes(), strict=True))
    return sum(abs(a - b) for a, b in pairs) / len(pairs)


def test_no_film_is_overwritten(result, tmp_path):
    # when
    first, second = (result.save_animation(tmp_path / "new" / "run.webp") for _ in range(2))

    # then
    assert (first.name, second.name) == ("run.webp", "run-2.webp")
    assert sorted(path.name for path in first.parent.iterdir()) == ["run-2.webp", "run.webp"]


def test_the_file_says_what_it_shows(result, tmp_path):
    for suffix in (".webp", ".gif"):
        path = result.save_animation(tmp_path / f"run{suffix}")
        with Image.open(path) as opened:
            said = opened.info.get("comment") or opened.info["xmp"]
        for part in (b"red circle on a meadow", b"seeds 7, 8", b"4 steps", b"Sampler"):
            assert part in said
    assert b"<large>" not in path.with_suffix(".webp").read_bytes()  # XMP is escaped


@pytest.mark.parametrize("name", ["run.mp4", "run", "run.png", "run.webp.txt"])
def test_another_kind_of_file_is_refused_before_anything_is_decoded(result, tmp_path, name):
    lost = replace(result, decoder=None)
    with pytest.raises(InvalidField, match="WebP or a GIF"):
        lost.save_animation(tmp_path / name)


@pytest.mark.parametrize("options", [{"frame_seconds": 0.0}, {"last_seconds": -1.0}])
def test_a_frame_is_shown_for_a_while(result, tmp_path, options):
    with pytest.raises(InvalidField, match="number of seconds"):
        result.save_animation(tmp_path / "run.gif", **options)


def test_a_duration_that_is_no_number_is_refused_too():
    with pytest.raises(InvalidField, match="number of seconds") as caught:
        animation.check("run.gif", [0.2, "1"])
    assert caught.value.given == "1"


def test_chosen_steps_only_are_decoded_and_shown(tiny, tmp_path):
    # given
    result = tiny.run(PROMPT, seed=7, steps=6)
    decoded = []

    class Counting:
        def decode(self, latents):
            decoded.append(len(latents))
            return tiny.decode(latents)

    # when
    path = result.save_animation(tmp_path / "run.webp", pipe=Counting(), count=3)

    # then
    assert decoded == [1, 1, 1]  # an image at a time is held, beside the frames
    assert sum(duration for _, duration in frames_of(path)) == 3 * 150 + 2000
    with pytest.raises(InvalidField, match="at least one frame"):
        result.save_animation(tmp_path / "run.webp", count=0)


@pytest.mark.parametrize(("count", "size"), [(1, (8, 4)), (3, (16, 8)), (10, (32, 12))])
def test_a_batch_is_laid_in_a_grid(tiny, tmp_path, count, size):
    # given
    run = tiny.start(PROMPT, seed=7, steps=1, width=32, height=32)
    one = run.finish()
    images = tuple(Image.new("RGB", (8, 4), (20 * index, 0, 0)) for index in range(count))
    result = replace(one, images=images, seeds=tuple(range(count)))
    painted = SimpleNamespace(decode=lambda _: list(images))

    # when
    path = result.save_animation(tmp_path / "run.gif", pipe=painted)

    # then
    frame, _ = frames_of(path)[-1]
    assert frame.size == size
    columns = size[0] // 8
    for index in range(count):
        found = frame.getpixel((8 * (index % columns) + 4, 4 * (index // columns) + 2))
        assert abs(found[0] - 20 * index) < 12


def test_a_frame_too_large_for_its_file_is_refused(tmp_path):
    frame = Image.new("RGB", (16384, 1))
    with pytest.raises(InvalidField, match="larger than this kind of file"):
        animation.write([frame], tmp_path / "run.webp", seconds=[1.0], description="")
    assert list(tmp_path.iterdir()) == []


def test_characters_that_no_xml_can_hold_are_left_out(tmp_path):
    # given
    frame, said = Image.new("RGB", (2, 2)), "a \x07red\x00 \ufffe<circle>\nüλ \U0001f600\ud800"

    # when
    for suffix in (".webp", ".gif"):
        path = animation.write([frame], tmp_path / f"run{suffix}", seconds=[1.0], description=said)

    # then
    with Image.open(path.with_suffix(".webp")) as opened:
        packet = ElementTree.fromstring(opened.info["xmp"])
    assert "".join(packet.itertext()) == "a red <circle>\nüλ \U0001f600"


def test_a_film_of_a_batch_names_its_seeds_and_one_cut_short_says_so(tiny, result, tmp_path):
    # given
    run = tiny.start(PROMPT, seed=7, steps=6)
    run.step(), run.step()
    run.cancel()

    # when
    said = []
    for each in (result, run.finish()):
        with Image.open(each.save_animation(tmp_path / "run.gif")) as opened:
            said.append(opened.info["comment"].decode().splitlines()[0])

    # then
    assert said[0] == f"2 generated images, seeds 7, 8: {PROMPT}, forming in 4 steps"
    assert said[1].endswith("forming in 2 steps, interrupted: 6 were asked for")


def test_a_film_that_cannot_be_written_is_called_a_file(result, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InvalidField, match="the file could not be written") as caught:
        result.save_animation(tmp_path / "taken" / "run.gif")
    assert "%sd" not in str(caught.value)


def test_a_run_without_states_or_steps_has_no_film(tiny, tmp_path):
    # given
    run = tiny.start(PROMPT, steps=2)
    run.cancel()

    # when / then
    with pytest.raises(InvalidField, match="before its first step"):
        run.finish().save_animation(tmp_path / "run.gif")
    with pytest.raises(InvalidField, match="keep='steps'"):
        tiny.run(PROMPT, steps=1, keep="none").save_animation(tmp_path / "run.gif")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_has_a_film_as_far_as_it_went(tiny, tmp_path):
    # given
    run = tiny.start(PROMPT, seed=7, steps=6)
    run.step(), run.step()
    run.cancel()

    # when
    path = run.finish().save_animation(tmp_path / "run.webp")

    # then
    assert sum(duration for _, duration in frames_of(path)) == 2 * 150 + 2000


def test_a_loaded_result_needs_a_pipeline(tiny, result, tmp_path):
    # given
    loaded = pickle.loads(pickle.dumps(result))

    # when / then
    with pytest.raises(InvalidField, match="gone") as caught:
        loaded.save_animation(tmp_path / "run.webp")
    assert "pipe=sdnb.load('tiny')" in caught.value.fix
    assert loaded.save_animation(tmp_path / "run.webp", pipe=tiny).exists()


def test_a_result_keeps_no_pipeline_alive(tiny, tmp_path):
    # given
    short_lived = Pipeline(tiny.components)
    result = short_lived.run(PROMPT, steps=1)

    # when
    del short_lived
    gc.collect()

    # then
    with pytest.raises(InvalidField, match="gone"):
        result.save_animation(tmp_path / "run.webp")


def test_a_branch_has_a_film_of_the_whole_way(tiny, result, tmp_path):
    branch = tiny.branch(result, 2, cfg_scale=2.0).finish()
    path = branch.save_animation(tmp_path / "run.webp")
    assert sum(duration for _, duration in frames_of(path)) == 4 * 150 + 2000


def test_a_picture_that_a_hook_changed_is_the_last_frame(tiny, tmp_path):
    # given
    hooks = sdnb.Hooks(on_image=(lambda event: 1 - event.images,))
    result = tiny.run(PROMPT, seed=7, steps=2, hooks=hooks)

    # when
    shown = frames_of(result.save_animation(tmp_path / "run.webp"))

    # then
    assert [duration for _, duration in shown] == [150, 150, 2000]
    assert difference(shown[-1][0], result.images[0]) < 12
