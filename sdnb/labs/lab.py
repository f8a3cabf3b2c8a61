"""What labs share that draw whole runs: a form, one worker, how far it is, the last result.

The studio, which holds a run between its steps, is in `sdnb.labs.studio`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum

from sdnb.errors import SdnbError
from sdnb.events import StepEvent
from sdnb.labs.form import Form
from sdnb.labs.held_run import total_steps
from sdnb.labs.inputs import save_inputs
from sdnb.labs.reel import Reel
from sdnb.labs.seen import Progress
from sdnb.labs.watch import INTERVAL
from sdnb.labs.working import Working
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.run import Run

PHASES = ("idle", "running", "finished", "stopped")


class Lab(Working):
    """Draws whole runs.

    Subclasses say what is drawn (`_draw`), and what is shown of it.

    Parameters
    ----------
    pipe : Pipeline
        What draws; others may use it too, and take turns.
    request : GenerationRequest, optional
        What is typed in the form at first.

    Attributes
    ----------
    form : Form
        What the next run is asked.
    phase : str
        One of `PHASES`.
    progress : Progress or None
        How far the runs are, together.
    result : Result or None
        The last one.
    film : Film or None
        The model's estimate of the clean picture in each step of it, where a lab shows one.
    closeup : (int, PIL image) or None
        The frame that `look` decoded last.
    """

    phase = Enum(PHASES, "idle")
    progress = AnyTrait(None)
    result = AnyTrait(None)
    film = AnyTrait(None)
    closeup = AnyTrait(None)

    def __init__(self, pipe: Pipeline, request: GenerationRequest | None = None) -> None:
        super().__init__(pipe)
        self.form = Form()
        self.form.fill(request or GenerationRequest())
        self._reel = Reel(pipe)
        self._told = -inf

    @property
    def errors(self) -> dict[str, SdnbError]:
        """What is wrong with what is typed, by field."""
        return dict(self.form.errors)

    def draw(self, **fields: object) -> None:
        """Draw what is typed; nothing happens where `form.errors` says why.

        Parameters
        ----------
        **fields
            Typed into the form first.
        """
        self.form.type(fields)
        request = self.form.request()
        if request is not None:
            self._compute(partial(self._draw, request))

    def stop(self) -> None:
        """End what is drawn, after the network call that is on; what was shown stays."""
        self._ask(self._rest)

    def look(self, step: int) -> None:
        """Decode a frame of the film, unless a run is going on; see `closeup`."""
        if self.phase != "running":
            self.closeup = None  # the same frame once more is news: a page may have forgotten it
            self._ask(partial(self._look, step))

    def save_inputs(self) -> list[Path]:
        """Save the pictures that the result began from, by the names that its texts call them."""
        return [] if self.result is None else save_inputs(self.result.request)

    def _draw(self, request: GenerationRequest) -> None:
        """Draw a request and show what came out."""
        raise NotImplementedError

    def _to_end(self, runs: Sequence[Run]) -> bool:
        """Advance runs in turn to their ends; False where something else was wanted first."""
        going = list(runs)
        while going:
            for run in list(going):
                if self._worker.is_wanted:
                    for each in going:
                        each.cancel()
                    return False
                event = next(run, None)
                if event is None:
                    going.remove(run)
                elif isinstance(event, StepEvent):
                    self._tell_progress(runs, event.sigma_next)
        return True

    def _tell_progress(self, runs: Sequence[Run], sigma: float) -> None:
        now = monotonic()
        if now - self._told < INTERVAL:
            return
        self._told = now
        step = sum(run.index for run in runs)
        totals = [total_steps(run) for run in runs]
        total = sum(each for each in totals if each is not None) if all(totals) else None
        left = None
        if total is not None and step:
            left = sum(run.seconds for run in runs) / step * (total - step)
        self.progress = Progress(step=step, total=total, sigma=sigma, seconds_left=left)

    def _look(self, step: int) -> None:
        image = self._reel.frame(step)
        self.closeup = None if image is None else (step, image)

    def _show_result(self, result: Result | None, **news: Any) -> None:
        """Stand at a result, or at none, with what there is to tell of it."""
        phase = "idle" if result is None else "stopped" if result.interrupted else "finished"
        with self.hold_trait_notifications():
            for name, value in {**news, "closeup": None, "result": result}.items():
                setattr(self, name, value)
        with self.hold_trait_notifications():  # once all that it led to is there
            self.progress, self.phase = None, phase

    def _rest(self) -> None:
        """Stand at the last result again."""
        self._show_result(self.result)

    def _compute(self, task: Callable[[], None]) -> None:
        self.phase = "running"  # from now on, so that no look comes between
        self._ask(task)


def refused(error: SdnbError, form: Form, field: str) -> None:
    """Say beside a field why what is typed there cannot be drawn."""
    form.errors = {**form.errors, field: error}
