"""Training in the hand: start, pause, resume, stop, save, go back; what is learned is seen at once.

    lab = Training(sdnb.load("tiny"))
    lab.start(subject="plane", dataset="spiral", length=600)
    lab.wait()
    lab.events[-1].loss, lab.samples[-1].averaged

It trains in one worker thread; every action returns at once. A training that was paused, or saved
and restored, ends as one that was not, to the bit, where its length is in steps.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum

from sdnb.errors import InvalidField, SdnbError
from sdnb.files import typed_path
from sdnb.labs.held_training import HeldTraining, make_subject
from sdnb.labs.subjects import Subject
from sdnb.labs.training_form import TrainingForm, TrainingRequest
from sdnb.labs.worker import described
from sdnb.labs.working import Working
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.training.computing import single_threaded
from sdnb.training.loop import TrainState

PHASES = ("idle", "preparing", "running", "paused", "finished", "stopped")
RESTING = ("paused", "finished", "stopped")

LONG = 30.0
"""Seconds of training that nobody wants to lose by a click."""


class Training(Working):
    """One training at a time.

    Parameters
    ----------
    pipe : Pipeline
        Whose VAE, text encoder, or all of it, is made use of; it stays as it is.
    request : GenerationRequest, optional
        Its prompt, if any, is what is drawn on the way.

    Attributes
    ----------
    form : TrainingForm
        What the next training is asked.
    asked : TrainingRequest or None
        What the one that is there was asked.
    phase : str
        One of `PHASES`.
    events : tuple of TrainEvent
        Of all steps, told a few times a second.
    samples : tuple of Sample
        The first after no step, then every so many.
    measured : Measured or None
        Measured whenever the training rests.
    learned : Learned or None
        What `use` made.
    saved : Path or None
        The last checkpoint that was saved or restored.
    """

    asked = AnyTrait(None)
    phase = Enum(PHASES, "idle")
    events = AnyTrait(())
    samples = AnyTrait(())
    measured = AnyTrait(None)
    learned = AnyTrait(None)
    saved = AnyTrait(None)

    def __init__(self, pipe: Pipeline, request: GenerationRequest | None = None) -> None:
        super().__init__(pipe)
        self.form = TrainingForm((request or GenerationRequest()).prompt)
        self._held: HeldTraining | None = None
        self._saved_step = 0
        self._places: dict[Path, Path] = {}  # of checkpoints, by the names that were asked for

    @property
    def subject(self) -> Subject | None:
        """What is trained."""
        return None if self._held is None else self._held.subject

    # whatever network it is of
    @property
    def state(self) -> TrainState[Any] | None:
        """Weights, their average, and all else that the training changed; None before the first."""
        return None if self._held is None else self._held.subject.state

    @property
    def errors(self) -> dict[str, SdnbError]:
        """What is wrong with what is typed, by field."""
        return dict(self.form.errors)

    @property
    def can_go_on(self) -> bool:
        """Whether a training rests that has something left, of what is typed."""
        held, typed = self._held, self.form.request()
        if held is None or typed is None or self.phase not in RESTING:
            return False
        state = held.subject.state
        return held.changed(typed).clock(state.step, state.seconds) < 1

    @property
    def is_at_risk(self) -> bool:
        """Whether a long training is there that no checkpoint holds: another takes its place."""
        state = self.state
        return state is not None and state.seconds > LONG and state.step != self._saved_step

    @property
    def seconds_left(self) -> float | None:
        """About how long the training goes on, at its pace so far; None before its first step."""
        held = self._held
        if held is None or not held.subject.state.step:
            return None
        seconds: float = held.subject.state.seconds / held.share * (1 - held.share)
        return max(0.0, seconds)

    def start(self, **fields: object) -> None:
        """Begin a training of what is typed; nothing happens where `form.errors` says why.

        Parameters
        ----------
        **fields
            Typed into the form first.
        """
        self._prepare(self._begin, fields)

    def pause(self) -> None:
        """Hold the training after the step that is taken."""
        self._ask(partial(self._hold, "paused"))

    def resume(self, **fields: object) -> None:
        """Go on, with the length and speed that are typed now; after its end too, if longer."""
        self.form.type(fields)
        asked = self.form.request()
        if asked is not None:
            self._ask(partial(self._go_on, asked))

    def stop(self) -> None:
        """End the training after the step that is taken; what was learned is kept."""
        self._ask(partial(self._hold, "stopped"))

    def save(self, path: str | Path | None = None) -> None:
        """Save a checkpoint under the first free name, `saved`; a training goes on after it.

        Where it cannot be written, `failure` says so.
        """
        wanted = typed_path(path or str(self.form.file))
        self._ask(partial(self._and_go_on, partial(self._save, wanted)))

    def restore(self, path: str | Path | None = None, **fields: object) -> None:
        """Stand where a checkpoint was saved, of what is typed; `resume` goes on from there.

        Without a path it is the one that was saved last under the typed name, which may stand
        beside an older file of that name. One that does not fit changes nothing.
        """
        self._prepare(partial(self._restore, path), fields)

    def use(self, prompt: str | None = None) -> None:
        """Make what was learned ready to be used, and draw a prompt with it: `learned`."""
        asked = str(self.form.prompt if prompt is None else prompt)
        self._ask(partial(self._and_go_on, partial(self._use, asked)))

    def _prepare(
        self, task: Callable[[TrainingRequest], None], fields: Mapping[str, object]
    ) -> None:
        self.form.type(fields)
        asked = self.form.request()
        if asked is not None:
            self._ask(partial(self._and_go_on, partial(task, asked)))

    def _begin(self, asked: TrainingRequest) -> None:
        self._take(self._prepared(asked, None), asked)
        self.phase = "running"

    def _restore(self, path: str | Path | None, asked: TrainingRequest) -> None:
        typed = typed_path(path or asked.file)
        place = typed if path else self._places.get(typed, typed)
        subject = self._prepared(asked, place)
        self._take(subject, asked)
        self.saved, self._saved_step = place, subject.state.step
        self.phase = "paused"

    def _prepared(self, asked: TrainingRequest, checkpoint: Path | None) -> Subject:
        """Return what is to be trained; where that fails, what was there stays as it was."""
        before, self.phase = self.phase, "preparing"
        try:
            subject = make_subject(self.pipe, asked)
            if checkpoint is not None:
                subject.state.restore(checkpoint)
        except Exception:  # whatever it is: the phase is as it was
            self.phase = before
            raise
        return subject

    def _take(self, subject: Subject, asked: TrainingRequest) -> None:
        self._held = HeldTraining(subject, asked, self._tell, self._is_wanted)
        self._saved_step = 0
        nothing: dict[str, object] = dict.fromkeys(("measured", "learned", "saved"))
        self._tell(asked=asked, events=(), samples=(), **nothing)

    def _go_on(self, typed: TrainingRequest) -> None:
        held = self._there()
        held.ask(typed)
        self.asked = held.asked
        self._advance()

    def _hold(self, phase: str) -> None:
        if self.phase == "running" or (self.phase == "paused" and phase == "stopped"):
            self._stand(phase)

    def _and_go_on(self, task: Callable[[], None]) -> None:
        """Do what was asked, and go on with what was running, whatever became of it."""
        try:
            task()
        except Exception as error:  # as the worker does: a training is not lost by it
            self.failure = described(error)
        if self.phase == "running":
            self._advance()
        elif self.phase in RESTING:
            self._there().rest()  # it may have given way to this

    def _advance(self) -> None:
        self.phase = "running"
        if self._there().advance():
            self._stand("finished")

    def _stand(self, phase: str) -> None:
        self.phase = phase
        self._there().rest()

    def _save(self, wanted: Path) -> None:
        held = self._there()
        self.saved, self._saved_step = held.save(wanted), held.subject.state.step
        self._places[wanted] = self.saved

    def _use(self, prompt: str) -> None:
        held = self._there()
        with single_threaded():
            self.learned = held.subject.use(prompt, held.asked.file, self._is_wanted)

    def _there(self) -> HeldTraining:
        if self._held is None:
            raise InvalidField("nothing has been trained yet.", fix="start a training")
        return self._held

    def _tell(self, **news: object) -> None:
        with self.hold_trait_notifications():
            for name, value in news.items():
                setattr(self, name, value)

    def _is_wanted(self) -> bool:
        return self._worker.is_wanted

    def _rest(self) -> None:
        """After a failure: what was learned is kept."""
        if self.phase in ("preparing", "running"):
            self.phase = "idle" if self._held is None else "stopped"
