"""A training in the hand: it can be held, saved, gone back to; nothing that was learned is lost."""

import signal
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from functools import partial
from threading import enumerate as threads

import pytest
import torch
from PIL import Image

from sdnb.errors import InvalidField, LoadError, PipelineBusy, UnknownName
from sdnb.labs import held_training, picture_subjects
from sdnb.labs.training import Training
from sdnb.labs.training_form import FIELDS, READ, SUBJECTS, TrainingForm

PATIENCE = 60.0
SHORT = {"subject": "plane", "dataset": "moons", "length": 40, "lr": 0.02, "batch": 64, "every": 20}


@pytest.fixture
def lab(pipe):
    lab = Training(pipe)
    yield lab
    lab.stop()
    lab._worker.wait(PATIENCE)


@pytest.fixture(scope="module")
def whole(pipe):
    """An unbroken training."""
    lab = Training(pipe)
    lab.start(**SHORT)
    assert lab.wait(PATIENCE)
    return lab


def weights(lab):
    networks = (lab.state.model, lab.state.average)
    return torch.cat([w.detach().flatten() for each in networks for w in each.parameters()])


def hold_at(lab, step, act):
    """Act, once, as soon as so many steps are taken."""
    is_wanted = lab._is_wanted

    def looked():
        if lab.state is not None and lab.state.step == step:
            lab._is_wanted = lab._held._wanted = is_wanted
            act()
        return is_wanted()

    lab._is_wanted = looked


def test_it_trains_draws_and_measures(whole):
    assert whole.phase == "finished"
    assert [event.step for event in whole.events] == list(range(1, 41))
    losses = [event.loss for event in whole.events]
    assert sum(losses[-15:]) < sum(losses[:15])
    assert [sample.step for sample in whole.samples] == [0, 20, 40]
    sample = whole.samples[-1]
    assert sample.averaged.shape == sample.own.shape == (200, 2)
    assert not torch.equal(sample.averaged, sample.own)
    curves = whole.measured.curves
    assert list(curves) == ["averaged", "own", "best"]
    assert bool((curves["averaged"] > 0.95 * curves["best"]).all())
    assert not [each for each in threads() if each.name == "sdnb-lab"]


def test_a_pause_anywhere_changes_nothing_of_what_is_learned(lab, whole):
    # given
    hold_at(lab, 13, lab.pause)

    # when
    lab.start(**SHORT)
    assert lab.wait(PATIENCE)
    held = (lab.phase, lab.state.step, lab.can_go_on, len(lab.events))
    lab.resume()
    assert lab.wait(PATIENCE)

    # then
    assert held == ("paused", 13, True, 13)
    assert (lab.phase, lab.state.step) == ("finished", 40)
    assert torch.equal(weights(lab), weights(whole))
    assert torch.equal(lab.samples[-1].averaged, whole.samples[-1].averaged)


def test_what_was_stopped_is_kept_and_can_go_on(lab, whole):
    # given
    hold_at(lab, 7, lab.stop)

    # when
    lab.start(**SHORT)
    assert lab.wait(PATIENCE)

    # then: there is a sample and a curve of it
    assert (lab.phase, lab.state.step) == ("stopped", 7)
    assert lab.samples[-1].step == lab.measured.step == 7
    lab.resume()
    assert lab.wait(PATIENCE)
    assert torch.equal(weights(lab), weights(whole))


def test_a_finished_training_goes_on_when_it_is_made_longer(lab):
    lab.start(**{**SHORT, "length": 5})
    assert lab.wait(PATIENCE)
    assert not lab.can_go_on
    lab.form.length = "8"
    assert lab.can_go_on
    lab.resume()
    assert lab.wait(PATIENCE)
    assert lab.state.step == 8


def test_a_checkpoint_is_gone_back_to_and_ends_the_same(lab, whole, tmp_path):
    # given
    path = tmp_path / "moons.pt"
    hold_at(lab, 11, lambda: lab.save(path))

    # when: saving holds up nothing
    lab.start(**SHORT)
    assert lab.wait(PATIENCE)
    assert torch.equal(weights(lab), weights(whole))
    lab.restore(path)
    assert lab.wait(PATIENCE)
    stood = (lab.phase, lab.state.step, lab.saved)
    lab.resume()
    assert lab.wait(PATIENCE)

    # then
    assert stood == ("paused", 11, path)
    assert torch.equal(weights(lab), weights(whole))


def test_a_checkpoint_never_takes_the_place_of_another(lab, tmp_path):
    lab.start(**{**SHORT, "length": 2})
    lab.wait(PATIENCE)
    for _ in range(2):
        lab.save(tmp_path / "moons.pt")
        assert lab.wait(PATIENCE)
    assert lab.saved.name == "moons-2.pt"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["moons-2.pt", "moons.pt"]


def test_a_full_disk_is_said_and_the_training_goes_on(lab, whole, tmp_path, monkeypatch):
    # given
    def fill_the_disk(*_):
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", fill_the_disk)
    hold_at(lab, 9, lambda: lab.save(tmp_path / "moons.pt"))

    # when
    lab.start(**SHORT)
    with pytest.raises(InvalidField, match="No space left"):
        lab.wait(PATIENCE)

    # then
    assert lab.phase == "finished"
    assert torch.equal(weights(lab), weights(whole))
    assert [*tmp_path.iterdir()] == []


def test_a_checkpoint_of_something_else_changes_nothing(lab, tmp_path):
    # given
    lab.start(**{**SHORT, "length": 2})
    lab.wait(PATIENCE)
    before, path = weights(lab).clone(), tmp_path / "none.pt"
    path.write_bytes(b"PK none")

    # when
    lab.restore(path)
    with pytest.raises(LoadError):
        lab.wait(PATIENCE)

    # then
    assert (lab.phase, lab.state.step) == ("finished", 2)
    assert torch.equal(weights(lab), before)
    lab.resume(length=3)
    assert lab.wait(PATIENCE)


def test_what_goes_astray_ends_and_keeps_what_there_is(lab, monkeypatch):
    # given
    lab.start(**{**SHORT, "length": 2})
    lab.wait(PATIENCE)
    monkeypatch.setattr(lab.subject, "loss", lambda _batch: 1 / 0)

    # when
    lab.resume(length=4)

    # then
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lab.wait(PATIENCE)
    assert (lab.phase, lab.state.step) == ("stopped", 2)


@pytest.mark.parametrize("asked", [{"subject": "lora", "pictures": "broken"}, {}])
def test_what_fails_beside_a_training_does_not_end_it(lab, whole, tmp_path, monkeypatch, asked):
    # given
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_text("no picture")
    act = partial(lab.start, **asked) if asked else partial(lab.restore, "none.pt")
    hold_at(lab, 11, act)

    # when
    lab.start(**SHORT)
    with pytest.raises((InvalidField, LoadError)):
        lab.wait(PATIENCE)

    # then
    assert (lab.phase, lab.asked.subject) == ("finished", "plane")
    assert torch.equal(weights(lab), weights(whole))


def test_one_goes_back_to_what_was_saved_and_not_to_an_older_file(lab, tmp_path):
    # given
    (tmp_path / "moons.pt").write_bytes(b"of another day")
    lab.start(**{**SHORT, "length": 2, "file": str(tmp_path / "moons.pt")})
    assert lab.wait(PATIENCE)
    lab.save()
    assert lab.wait(PATIENCE)

    # when
    lab.restore()
    assert lab.wait(PATIENCE)

    # then
    assert (lab.phase, lab.state.step, lab.saved.name) == ("paused", 2, "moons-2.pt")
    lab.restore(tmp_path / "moons.pt")
    with pytest.raises(LoadError):
        lab.wait(PATIENCE)


def test_a_checkpoint_may_lie_at_home_in_a_folder_that_is_made(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    lab.start(**{**SHORT, "length": 1, "file": "~/mine/moons.pt"})
    lab.save()
    lab.restore()
    assert lab.wait(PATIENCE)
    assert lab.saved == tmp_path / "mine" / "moons.pt"


@pytest.mark.usefixtures("listening")
def test_an_interrupt_ends_the_waiting_and_nothing_else(lab, whole):
    hold_at(lab, 10, lambda: signal.raise_signal(signal.SIGINT))
    lab.start(**SHORT)
    with pytest.raises(KeyboardInterrupt):
        lab.wait(PATIENCE)
    assert lab.wait(PATIENCE)
    assert torch.equal(weights(lab), weights(whole))


def test_samples_are_thinned_before_they_are_too_many(lab, monkeypatch):
    monkeypatch.setattr(held_training, "MOST", 4)
    lab.start(**{**SHORT, "length": 6, "every": 1, "dataset": "blobs"})
    assert lab.wait(PATIENCE)
    assert [sample.step for sample in lab.samples] == [0, 4, 6]


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("lr", "0", "1e-07 … 1"),
        ("lr", "nan", "1e-07 … 1"),
        ("length", "0", "1 … 1e+06"),
        ("batch", "2.5", "whole number"),
        ("every", "", "whole number"),
        ("subject", "all", "plane"),
        ("dataset", "suns", "moons"),
        ("file", " ", "path"),
        ("file", "./", "path"),
    ],
)
def test_what_cannot_be_trained_is_said_beside_its_field(pipe, field, typed, said):
    lab = Training(pipe)
    lab.start(**{field: typed})
    assert lab.phase == "idle"
    assert list(lab.errors) == [field]
    assert said in str(lab.errors[field])


def test_the_length_may_be_seconds(lab):
    lab.start(**{**SHORT, "length": 1, "every": 100_000, "unit": "seconds"})
    assert lab.wait(PATIENCE)
    assert 1 <= lab.state.seconds < 10


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two pictures, one with its caption; what is drawn of them takes a step."""
    monkeypatch.setattr(picture_subjects, "STEPS", 1)
    monkeypatch.setattr(picture_subjects, "TIMESTEPS", (500.0,))
    monkeypatch.chdir(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (96, 64), "red").save(pictures / f"{name}.png")
    (pictures / "a.txt").write_text("a red star")
    return pictures


def test_a_small_unet_learns_from_a_folder_and_its_pipeline_draws(lab, pipe, folder):
    # given
    before = [weight.clone() for weight in pipe.components.unet.parameters()]

    # when
    lab.start(subject="unet", pictures=folder, length=2, batch=2, every=2)
    assert lab.wait(PATIENCE)
    lab.use("a red star")
    assert lab.wait(PATIENCE)

    # then
    assert [len(sample.own) for sample in lab.samples] == [3, 3]
    assert len(lab.subject.loss(97)(0, 0.0)) == 4  # parts, of 32 pictures at most
    assert list(lab.measured.curves) == ["averaged", "own"]
    learned = lab.learned
    assert [*learned.results["with"].images] and learned.path is None
    assert learned.pipeline.components.unet is not lab.state.average
    with pipe.turn(), ThreadPoolExecutor(1) as other:
        drawn = other.submit(learned.pipeline.start, "", wait=False)
        assert isinstance(drawn.exception(), PipelineBusy)  # they take turns
    assert all(map(torch.equal, before, pipe.components.unet.parameters()))


def test_a_lora_learns_from_a_folder_and_is_used_by_its_file(lab, pipe, folder):
    # when
    lab.start(subject="lora", pictures=folder, length=2, batch=2, every=2, rank=2, lr=0.05)
    assert lab.wait(PATIENCE)
    lab.use("a red star")
    assert lab.wait(PATIENCE)

    # then
    learned = lab.learned
    assert learned.path.name == "lora.safetensors"
    without, worn = (learned.results[name] for name in ("without", "with"))
    assert str(learned.path) in str(worn.request.loras[0])
    assert not torch.equal(worn.latents, without.latents)
    assert list(lab.measured.curves) == ["averaged", "own", "without"]


def test_a_folder_without_pictures_is_refused_and_nothing_begins(lab, tmp_path):
    lab.start(subject="lora", pictures=tmp_path)
    assert (lab.phase, lab.state) == ("idle", None)
    assert "folder of pictures" in str(lab.errors["pictures"])


def test_a_broken_picture_is_named_and_what_was_learned_stays(lab, folder):
    lab.start(**{**SHORT, "length": 2})
    assert lab.wait(PATIENCE)
    (folder / "c.png").write_bytes(b"no picture")
    lab.start(subject="lora", pictures=folder)
    with pytest.raises(InvalidField, match=r"c\.png"):
        lab.wait(PATIENCE)
    assert (lab.phase, lab.state.step, lab.asked.subject) == ("finished", 2, "plane")


def test_a_home_that_nobody_has_is_a_folder_that_is_not_there():
    form = TrainingForm()
    form.type({"subject": "lora", "pictures": "~nobody-of-that-name/pictures"})
    assert list(form.errors) == ["pictures"]
    assert form.request() is None


def test_what_a_subject_does_not_ask_for_does_not_hinder_it():
    form = TrainingForm()
    form.type({"subject": "lora", "rank": "wide", "pictures": "nowhere/at all"})
    assert set(form.errors) == {"rank", "pictures"}
    assert "folder" in str(form.errors["pictures"])
    form.type({"subject": "plane"})
    assert form.errors == {}
    assert form.request().pictures is None


def test_every_subject_has_its_fields_and_types_its_defaults():
    form = TrainingForm()
    for subject in SUBJECTS:
        form.type({"lr": 0.5, "subject": subject, "unit": "seconds"})
        assert form.errors == {}
        assert set(FIELDS[subject]) <= set(READ)
        assert form.request().unit == "seconds"
    with pytest.raises(UnknownName):
        form.type({"learning_rate": 1})
