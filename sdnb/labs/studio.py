"""The studio: a run that is held in the hand. Generate, pause, step, step back, rewind, branch.

All that computes happens in one worker thread; every action returns at once, and `wait` waits.
What is typed is in `sdnb.labs.form`; how a run is looked at meanwhile, in `sdnb.labs.watch`.

    studio = Studio(sdnb.load("tiny"))
    studio.generate(prompt="a red circle", steps=12)
    studio.wait()
    studio.branch(5, cfg_scale=7)
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Enum

from sdnb.errors import InvalidField, SdnbError
from sdnb.labs.form import READ, Form
from sdnb.labs.held_run import HeldRun
from sdnb.labs.inputs import save_inputs
from sdnb.labs.working import Working
from sdnb.models.library import checkpoints
from sdnb.past import FIXED
from sdnb.picture import Picture
from sdnb.pipeline import Pipeline, load
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.seeds import seed_after

Action = Callable[[], None]

PHASES = ("idle", "loading", "running", "paused", "finished", "stopped")


class Studio(Working):
    """One picture at a time, and every moment of it.

    Parameters
    ----------
    pipe : Pipeline
        What draws; others may use it too, and take turns.
    request : GenerationRequest, optional
        What is typed in the form at first.
    load : callable
        Reference of a checkpoint -> pipeline, where another one is typed.
    clock : callable
        Seconds, rising.

    Attributes
    ----------
    form : Form
        What the next run, or a branch, is asked.
    phase : str
        One of `PHASES`.
    progress : Progress or None
        How far the run is.
    shown : Shown or None
        The picture to look at: the last good one until there is another.
    film : Film or None
        All steps of the run that is held, or of the last one.
    closeup : (int, PIL image) or None
        The frame that `look` decoded last.
    result : Result or None
        The last one with a picture.
    """

    phase = Enum(PHASES, "idle")
    progress = AnyTrait(None)
    shown = AnyTrait(None)
    film = AnyTrait(None)
    closeup = AnyTrait(None)
    result = AnyTrait(None)

    def __init__(
        self,
        pipe: Pipeline,
        request: GenerationRequest | None = None,
        *,
        load: Callable[[str], Pipeline] = load,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(pipe)
        self._load = load
        self.form = Form()
        self.form.fill(_sized(request or GenerationRequest(), pipe))
        self.form.checkpoint = pipe.components.reference
        self._began_with: tuple[object] | None = None  # the seed as it was typed
        self._held = HeldRun(pipe, self._tell, lambda: self._worker.is_wanted, clock)

    def generate(self, **fields: object) -> None:
        """Begin a new run with what is typed; nothing happens where `form.errors` says why.

        Parameters
        ----------
        **fields
            Typed into the form first.
        """
        self._begin_with(self._held.advance, fields)

    def pause(self) -> None:
        """Hold the run where it is, after the network call that is on."""
        self._ask(self._held.hold)

    def resume(self) -> None:
        """Let a held run go on."""
        self._compute(self._held.advance)

    def step(self, **fields: object) -> None:
        """Make one step, and hold; of a new run where none is held."""
        if self.phase in ("running", "paused"):
            self._compute(self._held.make_step)
        else:
            self._begin_with(self._held.make_step, fields)

    def step_back(self) -> None:
        """Go back by one step, without a network call."""
        self._ask(self._held.step_back)

    def rewind(self, step: int) -> None:
        """Hold the run as it was after ``step`` steps, 0 … N - 1; nothing is lost until it goes on.

        Later steps of `film` can be gone to as well.
        """
        self._ask(partial(self._held.rewind, step))

    def branch(self, step: int | None = None, **fields: object) -> None:
        """Go on from a step with what is typed, where it differs; the seed stays the run's.

        Parameters
        ----------
        step : int, optional
            0 … N - 1; where the run is held if not given.
        **fields
            Typed into the form first.
        """
        self.form.type(fields)
        if self.form.request() is not None:
            self._compute(partial(self._held.branch, step, self.form))

    def changes(self) -> dict[str, tuple[object, object]]:
        """Return what a branch would be told: by field, as it was and as it is typed."""
        before = self._held.request
        if before is None:
            return {}
        changes = self.form.changes(before).items()
        return {name: (getattr(before, name), new) for name, new in changes if name not in FIXED}

    def stop(self) -> None:
        """End the run; what there is of it is the result."""
        self._ask(self._held.end)

    def look(self, index: int) -> None:
        """Decode a frame of the film, unless a run is going on; see `closeup`."""
        if self.phase != "running":
            self.closeup = None  # the same frame once more is news: a page may have forgotten it
            self._ask(partial(self._look, index))

    def save(self, folder: str = "pictures") -> list[Path]:
        """Save the result's picture as a PNG that carries its request."""
        return self._result().save(folder)

    def save_inputs(self) -> list[Path]:
        """Save the pictures that the result began from, by the names that its texts call them."""
        return save_inputs(self._result().request)

    def use_as_input(self) -> None:
        """Start the next run from the result's picture, not all of the way."""
        picture = Picture.of(self._result().images[0])
        with self.form.hold_trait_notifications():
            self.form.image, self.form.mask = picture, None
            if READ["denoise"](self.form.denoise) == 1:
                self.form.denoise = 0.6

    def open(self, result: Result) -> None:
        """Show a result, with its fields typed: it can be rewound and branched."""
        self.form.fill(result.request.changed(seed=self.form.seed))
        self._ask(partial(self._open, result))

    def recall(self, request: GenerationRequest) -> None:
        """Type a request, its seed and checkpoint too: `generate` draws it again."""
        self.form.fill(_sized(request, self.pipe))

    def checkpoints(self) -> list[str]:
        """Return what can be typed as the checkpoint, by name; only headers are read for it."""
        return [each.name for each in checkpoints() if not each.why_not]

    def _result(self) -> Result:
        if self.result is None:
            raise InvalidField("there is no picture yet.", fix="generate one first")
        result: Result = self.result
        return result

    def _compute(self, task: Action) -> None:
        self.phase = "running"  # from now on, so that no look comes between
        self._ask(task)

    def _begin_with(self, then: Action, fields: dict[str, object]) -> None:
        self.form.type(fields)
        request = self.form.request()
        if request is not None:
            self._compute(partial(self._begin, request, self.form.seed, then))

    def _begin(self, request: GenerationRequest, typed: object, then: Action) -> None:
        try:
            request = self._exchanged(request)
        except SdnbError as error:
            self.form.errors = {**self.form.errors, "checkpoint": error}
            self._held.recover()
            return
        try:
            self.pipe.components.adapters.resolved(request.loras)
        except SdnbError as error:  # a file is looked at only now
            self.form.errors = {**self.form.errors, "loras": error}
            self._held.recover()
            return
        self._held.begin(request)
        self._began_with = (typed,)
        then()

    def _exchanged(self, request: GenerationRequest) -> GenerationRequest:
        """Load the checkpoint that is typed, if it is another; return the request in its size."""
        wanted, size = str(self.form.checkpoint), self.pipe.components.size
        if wanted in ("", self.pipe.components.reference):
            return request
        self.phase = "loading"
        pipe = self._load(wanted)
        self._held.exchange(pipe)
        self.phase, self.pipe = "running", pipe
        if (request.width, request.height) == (size, size):  # nobody asked for this size
            self.form.width = self.form.height = size = pipe.components.size
            request = request.changed(width=size, height=size)
        return request

    def _look(self, index: int) -> None:
        self._held.look(index)
        if self.phase == "running":  # it was asked after a run that then gave way to it
            self._held.advance()

    def _open(self, result: Result) -> None:
        self._began_with = None
        self._held.show(result)

    def _tell(self, **news: Any) -> None:
        if "result" in news:
            self._follow(news["result"])
        with self.hold_trait_notifications():
            for name, value in news.items():
                setattr(self, name, value)

    def _rest(self) -> None:
        """Hold a run that can go on; else show the last good picture."""
        self._held.recover()

    def _follow(self, result: Result) -> None:
        """Type the seed that follows a finished run's, unless another was typed meanwhile."""
        typed, self._began_with = self._began_with, None
        if result is not self.result and typed == (self.form.seed,):
            after = str(self.form.after)
            self.form.seed = seed_after(result.seeds[0], batch_size=1, after=after)


def _sized(request: GenerationRequest, pipe: Pipeline) -> GenerationRequest:
    size = pipe.components.size
    return request.changed(width=request.width or size, height=request.height or size)
