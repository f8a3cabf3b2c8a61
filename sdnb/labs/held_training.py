"""The training that is held: advanced, drawn, measured; what of it there is to tell.

Who asks for what, and when, is in `sdnb.labs.training`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from sdnb.files import new_file
from sdnb.labs.picture_subjects import SmallUNet, Style
from sdnb.labs.subjects import Curve, Drawn, Plane, Subject, Wanted
from sdnb.labs.training_form import TrainingRequest
from sdnb.pipeline import Pipeline
from sdnb.training.computing import single_threaded
from sdnb.training.loop import TrainEvent, TrainPlan, averaged, train

INTERVAL = 0.25
"""Seconds between two looks at the loss, at least."""

MOST = 24
"""Samples that are kept: beyond that every other one goes."""

ON_THE_WAY = ("length", "unit", "lr", "batch", "every")
"""What may be typed anew for a training that goes on."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """What a fixed noise became after ``step`` steps.

    Parameters
    ----------
    averaged, own : Tensor [N, 2] or tuple of PIL images
        Drawn with the average of the weights, and with the weights themselves.
    """

    step: int
    averaged: Drawn
    own: Drawn


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """The error of the noise over `sdnb.labs.subjects.TIMESTEPS`, after ``step`` steps.

    Parameters
    ----------
    curves : mapping of str to Tensor
        Of the ``averaged`` weights, of the ``own``, and what they are compared with.
    """

    step: int
    curves: Mapping[str, Curve]


class HeldTraining:
    """Something that is trained, as it was asked.

    Parameters
    ----------
    tell : callable
        Is told the news, by the names of the lab's traits.
    wanted : callable
        Whether something else is wanted: whatever takes long gives way to it.
    """

    def __init__(
        self,
        subject: Subject,
        asked: TrainingRequest,
        tell: Callable[..., None],
        wanted: Wanted,
    ) -> None:
        self.subject, self.asked = subject, asked
        self._tell, self._wanted = tell, wanted
        self._events: list[TrainEvent] = []
        self._samples: tuple[Sample, ...] = ()
        self._measured: Measured | None = None
        self._told = 0.0

    @property
    def share(self) -> float:
        """How much of the training is done; 1 or more at its end."""
        state = self.subject.state
        return self.asked.clock(state.step, state.seconds)

    def ask(self, typed: TrainingRequest) -> None:
        """Take what may be typed anew, where it is typed for the same subject."""
        self.asked = self.changed(typed)

    def changed(self, typed: TrainingRequest) -> TrainingRequest:
        """Return what is asked, with what may be typed anew."""
        if typed.subject != self.asked.subject:
            return self.asked
        return replace(self.asked, **{name: getattr(typed, name) for name in ON_THE_WAY})

    def advance(self) -> bool:
        """Train, drawing on the way; return whether all is trained, or something else wanted."""
        while not self._wanted():
            if self._is_due():
                self._draw()
            elif not self._train():
                return True
        return False

    def rest(self) -> None:
        """Tell all there is; draw and measure, as long as nothing else is wanted."""
        self._tell_events()
        step = self.subject.state.step
        if not self._samples or self._samples[-1].step != step:
            self._draw()
        if self._measured is None or self._measured.step != step:
            self._measure()

    def save(self, wanted: Path) -> Path:
        """Save a checkpoint under the first free name; raises `InvalidField`."""
        with new_file(wanted) as place:
            self.subject.state.save(place)
        return place

    def _train(self) -> bool:
        """Train until there is something to draw, or wanted; False where nothing is left."""
        subject, asked = self.subject, self.asked
        plan = TrainPlan(
            clock=asked.clock, peak_lr=asked.lr, warmup=subject.warmup, workers=subject.workers
        )
        with single_threaded():  # here and below: beside another busy process it is far faster
            for event in train(subject.state, subject.loss(asked.batch), plan):
                self._events.append(event)
                if monotonic() - self._told >= INTERVAL:
                    self._tell_events()
                if self._is_due() or self._wanted():
                    return True
        return False

    def _is_due(self) -> bool:
        step = self.subject.state.step
        if not self._samples:
            return True
        return step % self.asked.every == 0 and self._samples[-1].step != step

    def _tell_events(self) -> None:
        self._tell(events=tuple(self._events))
        self._told = monotonic()

    def _draw(self) -> None:
        subject = self.subject
        with single_threaded():
            own = subject.draw(self._wanted)
            with averaged(subject.state):
                mean = None if own is None else subject.draw(self._wanted)
        if own is None or mean is None:
            return
        kept = self._samples if len(self._samples) < MOST else self._samples[::2]
        self._samples = (*kept, Sample(step=subject.state.step, averaged=mean, own=own))
        self._tell(samples=self._samples)

    def _measure(self) -> None:
        subject = self.subject
        with single_threaded():
            own = subject.errors(self._wanted)
            with averaged(subject.state):
                mean = None if own is None else subject.errors(self._wanted)
            others = None if mean is None else subject.reference(self._wanted)
        if own is not None and mean is not None and others is not None:
            curves = {"averaged": mean, "own": own, **others}
            self._measured = Measured(step=subject.state.step, curves=curves)
            self._tell(measured=self._measured)


def make_subject(pipe: Pipeline, asked: TrainingRequest) -> Subject:
    """Return what is asked for, untrained."""
    if asked.subject == "plane":
        return Plane(asked)
    return SmallUNet(pipe, asked) if asked.subject == "unet" else Style(pipe, asked)
