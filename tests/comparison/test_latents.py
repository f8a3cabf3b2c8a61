"""What a run's latents were on its way: film, distribution, path."""

import pytest
import torch

from sdnb.comparison.latents import film, histogram, project
from sdnb.errors import InvalidField
from sdnb.models.vae import decode_latents, to_pil
from sdnb.trace import spaced

PROMPT = "a red circle on a meadow"


@pytest.fixture(scope="module")
def result(pipe):
    return pipe.run(PROMPT, seed=7, steps=5, batch_size=2)


def test_the_film_is_the_estimate_of_every_step_decoded(pipe, result):
    # when
    frames = film(pipe, result, index=1)

    # then
    assert [frame.step for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.sigma for frame in frames] == list(result.trace.sigmas[:-1])
    alone = to_pil(decode_latents(pipe.components, result.trace.denoised[2, 1:]))[0]
    pairs = zip(frames[2].image.tobytes(), alone.tobytes(), strict=True)
    assert max(abs(a - b) for a, b in pairs) <= 1


def test_a_film_is_decoded_at_once(pipe, result, monkeypatch):
    # given
    calls, decode = [], pipe.components.vae.decode

    def counted(latents):
        calls.append(len(latents))
        return decode(latents)

    monkeypatch.setattr(pipe.components.vae, "decode", counted)

    # when
    film(pipe, result)

    # then
    assert calls == [5]


def test_many_latents_are_decoded_a_few_at_a_time(pipe, result, monkeypatch):
    # given
    monkeypatch.setattr("sdnb.models.vae.PIXELS", 2 * 128 * 128)
    together = pipe.decode(result.trace.denoised[:, 0])

    # then
    assert len(together) == 5
    assert together[4].tobytes() == pipe.decode(result.trace.denoised[4:, 0])[0].tobytes()


@pytest.mark.parametrize(
    ("total", "count", "chosen"),
    [(5, 3, [0, 2, 4]), (20, 4, [0, 6, 13, 19]), (3, 9, [0, 1, 2]), (7, 1, [6]), (1, 4, [0])],
)
def test_chosen_frames_are_spaced_evenly_with_both_ends(total, count, chosen):
    assert spaced(total, count) == chosen


def test_frames_that_are_not_there_are_refused(pipe, result):
    with pytest.raises(InvalidField, match="no such image"):
        film(pipe, result, index=2)
    with pytest.raises(InvalidField, match="at least one frame"):
        film(pipe, result, count=0)
    with pytest.raises(InvalidField, match="kept none"):
        film(pipe, pipe.run(PROMPT, steps=1, keep="none"))
    run = pipe.start(PROMPT, steps=2)
    run.cancel()
    with pytest.raises(InvalidField, match="before its first step"):
        film(pipe, run.finish())


def test_scaled_noise_is_a_unit_gaussian():
    # given
    noise = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))

    # when
    seen = histogram(noise * 5.0, (5.0**2 - 1) ** 0.5)

    # then
    assert (seen.mean, seen.std) == (pytest.approx(0, abs=0.03), pytest.approx(1, abs=0.03))
    width = seen.centres[1] - seen.centres[0]
    assert sum(seen.density) * width == pytest.approx(1, abs=1e-3)
    assert max(seen.density) == pytest.approx(0.4, abs=0.03)


def test_runs_from_one_start_begin_at_one_point(pipe):
    # given
    results = [pipe.run(PROMPT, seed=7, steps=4, sampler=name) for name in ("euler", "heun")]

    # when
    drawn = project(results)

    # then
    assert [path.name for path in drawn.trajectories] == ["euler", "heun"]
    starts = [path.points[0] for path in drawn.trajectories]
    assert starts[0] == pytest.approx(starts[1], abs=1e-6)
    ends = [path.points[-1] for path in drawn.trajectories]
    assert ends[0] != pytest.approx(ends[1], abs=1e-3)
    assert 1 >= sum(drawn.shares) >= drawn.shares[0] >= drawn.shares[1] > 0


def test_two_axes_keep_the_distances_of_what_lies_in_a_plane(pipe, result):
    # given
    first, second = torch.zeros(2, 4, 16, 16), torch.zeros(2, 4, 16, 16)
    first[:, 0, 0, 0], second[:, 1, 3, 3] = 3.0, 4.0
    flat = torch.stack([first + second, first, second, first * 0, -first, second * 2])
    levels = (1.0,) * 6
    scaled = flat * 2**0.5
    from dataclasses import replace

    made = replace(result, trace=replace(result.trace, x=scaled, sigmas=levels))

    # when
    (path,) = project([made]).trajectories

    # then
    points = torch.tensor(path.points, dtype=torch.float64)
    assert torch.allclose(
        torch.cdist(points, points), torch.cdist(*[flat[:, 0].flatten(1).double()] * 2)
    )


def test_runs_of_other_sizes_are_refused(pipe, result):
    small = pipe.run(PROMPT, steps=2, width=64, height=64)
    with pytest.raises(InvalidField, match="one size"):
        project([result, small])


def test_two_runs_of_one_sampler_have_two_names(result):
    names = [path.name for path in project([result] * 3).trajectories]
    assert names == ["dpmpp_2m", "dpmpp_2m (2)", "dpmpp_2m (3)"]
    given = [path.name for path in project([result] * 3, ["a (2)", "a", "a"]).trajectories]
    assert given == ["a (2)", "a", "a (3)"]


def test_what_cannot_be_laid_on_two_axes_is_said_for_what_it_is(result):
    with pytest.raises(InvalidField, match="its name"):
        project([result], ["one", "two"])
    with pytest.raises(InvalidField, match="no run"):
        project([])
