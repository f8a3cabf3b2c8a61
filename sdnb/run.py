"""A run that you hold: iterate it, step it, look at it, change it, end it.

It computes only while it is asked for the next event, in the thread that asks. What happens
inside is in `sdnb.lane`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import Any
from uuid import uuid4

import torch
from PIL.Image import Image

from sdnb.dialogue import Dialogue
from sdnb.errors import InvalidField, SdnbError
from sdnb.events import Event, Hooks, StartEvent, StepEvent
from sdnb.lane import Lane
from sdnb.models.attention import AttentionRecorder
from sdnb.models.components import Components
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Asked, Networks, Told
from sdnb.models.vae import preview_latents, to_pil
from sdnb.notices import notices
from sdnb.passes import Passes
from sdnb.past import Past
from sdnb.picture_file import BATCHED
from sdnb.request import GenerationRequest
from sdnb.result import Decoder, Result, picture_row, quiet_line
from sdnb.shapes import Latents
from sdnb.trace import Recorder, Trace

Turn = Callable[[bool], AbstractContextManager[None]]
"""Whether to wait for it -> the pipeline's turn."""


class Run:
    """One run of a pipeline, as `Pipeline.start` gives it.

    Iterating gives its events. It may be left between two events for as long as you like.

    Attributes
    ----------
    request : GenerationRequest
        What was asked, with seed and size resolved.
    """

    def __init__(  # noqa: PLR0913 - only a pipeline makes one
        self,
        denoiser: Denoiser,
        request: GenerationRequest,
        hooks: Hooks,
        turn: Turn,
        *,
        wait: bool = True,
        recorder: Recorder,
        attention: AttentionRecorder | None = None,
        past: Past | None = None,
        parent: tuple[str, int] | None = None,
        decoder: Callable[[], Decoder | None] | None = None,
        remember: Callable[[Result], Result] | None = None,
    ) -> None:
        self.request = request
        self.seconds = 0.0
        self._denoiser = denoiser
        self._turn = turn
        self._waits = wait
        self._parent, self._decoder, self._remember = parent, decoder, remember
        self._id = uuid4().hex[:12]
        self._passes = Passes(
            denoiser, request, hooks, recorder=recorder, attention=attention, past=past
        )
        self._dialogue = Dialogue(self._passes.events())
        self._is_shared = False
        if request.loras:
            self._components.adapters.serve(self)

    @property
    def x(self) -> Latents | None:
        """The latents now, [B, C, h, w]; None before the start."""
        return self._lane.x

    @property
    def denoised(self) -> Latents | None:
        """The last estimate of the clean latents, [B, C, h, w]; None before the first answer."""
        return self._lane.denoised

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The levels to visit, falling to 0; of the pass that is on."""
        return tuple(self._lane.sigmas)

    @property
    def index(self) -> int:
        """How many steps are made, in all passes."""
        return self._passes.index

    @property
    def evaluations(self) -> int:
        """How often the network was asked so far."""
        return self._passes.evaluations

    @property
    def trace(self) -> Trace:
        """Every state so far, of the pass that is on."""
        return self._lane.recorder.trace()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        """Compute up to the next event.

        Raises `HookError`, `ModelError`, and before the first event `PipelineBusy` where the run
        was started with ``wait=False`` and another thread is computing; a run that has begun
        waits. An error ends the run, and each further call raises it again.
        """
        with self._turn(self._waits), self._at_work():
            self._waits = True
            said = self._dialogue.go_on()
            while not isinstance(said, Event):
                said = self._dialogue.say(Networks(self._denoiser).answer([said])[0])
        return said

    def ask(self) -> Asked | None:
        """Go on to what the run asks of its networks next; None at its end, or if cancelled.

        For whoever answers many runs at once (`sdnb.lockstep`), and holds the pipeline's turn
        meanwhile: `tell` it the answer. Raises what `next` would.
        """
        with self._at_work():
            try:
                said = self._dialogue.go_on()
                while isinstance(said, Event):
                    said = self._dialogue.go_on()
            except StopIteration:
                return None
        return said

    def tell(self, told: Told | SdnbError, seconds: float, *, is_shared: bool = False) -> None:
        """Answer what the run asked; ``seconds`` is its share of the time that took.

        An error in place of an answer ends the run, and is raised. ``is_shared`` where others
        were answered by the same call: the last bits differ then.
        """
        self.seconds += seconds
        self._is_shared |= is_shared
        with self._at_work():
            self._dialogue.say(told)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self.seconds += perf_counter() - began
            if self._dialogue.has_ended:
                self._components.adapters.dismiss(self)

    @property
    def has_pictures(self) -> bool:
        """Whether it went to its end."""
        return self._lane.images is not None

    @property
    def has_failed(self) -> bool:
        """Whether an error ended it, or an interrupt within a hook or its sampler."""
        return self._dialogue.ended_by is not None

    def step(self) -> StepEvent | None:
        """Go on to the end of the next step; None when there is none left."""
        return next((event for event in self if isinstance(event, StepEvent)), None)

    def replace(self, x: Latents) -> None:
        """Go on from other latents than the sampler proposed; they are copied.

        Possible while the run is held at its `StartEvent` or a `StepEvent`: there the sampler
        waits for the latents to go on from. Raises `InvalidField` elsewhere, for another shape
        and for NaN or infinity.
        """
        if self.x is None or not isinstance(self._dialogue.held, StartEvent | StepEvent):
            raise InvalidField(
                "latents can be replaced between two steps only.",
                given=type(self._dialogue.held).__name__,
                allowed="a run held at its StartEvent or a StepEvent",
                fix="call run.step() first",
            )
        if x.shape != self.x.shape or not bool(x.isfinite().all()):
            raise InvalidField(
                "a run goes on from finite latents of its own shape.",
                given=tuple(x.shape),
                allowed=f"{tuple(self.x.shape)}, without NaN and infinity",
                fix="start from run.x.clone()",
            )
        self._lane.x = x.detach().to(self.x).clone()

    def preview(self) -> list[Image]:
        """Decode the estimate of the clean latents; empty before the first answer."""
        if self.denoised is None:
            return []
        with self._turn(True):
            images = preview_latents(self._components, self._clean())
        return to_pil(self._lane.opening.pasted(images))

    def cancel(self) -> None:
        """End the run before its next network call; `finish` gives what there is."""
        self._dialogue.cancel()

    def finish(self) -> Result:
        """Run to the end and give the Result; of a cancelled run, what there is of it.

        A run that was interrupted while its networks computed goes on where it was. One whose
        hook or sampler was interrupted, or failed, cannot: it raises what ended it. After
        `cancel` either gives what there is.
        """
        for _ in self:
            continue
        drawn, attention = self._lane.images, self._lane.attention
        with self._turn(True):
            said = notices(self._components, self.request, is_watched=attention is not None)
        images = self.preview() if drawn is None else to_pil(drawn)
        result = Result(
            id=self._id,
            request=self._passes.request,
            latents=self._clean().cpu(),
            images=tuple(images),
            seeds=self._lane.seeds,
            seconds=self.seconds,
            evaluations=self.evaluations,
            interrupted=drawn is None,
            notices=(*said, *self._lane.recorder.notices),
            trace=self.trace,
            attention=None if attention is None else attention.attention(),
            parent=self._parent,
            checkpoint_sha256=self._components.sha256,
            computed=self._components.computing | ({BATCHED: "yes"} if self._is_shared else {}),
            decoder=self._decoder,
        )
        return result if self._remember is None else self._remember(result)

    def __repr__(self) -> str:
        """Where the run stands: ``<Run: step 3 of 20, sigma 9.2>``."""
        lane = self._lane
        place = f"step {lane.index}" if lane.total is None else f"step {lane.index} of {lane.total}"
        return f"<Run: {place}, sigma {lane.sigma:.3g}>"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        """Show what the run would give if it ended now."""
        alts = [f"Preview of seed {seed}: {self.request.prompt}" for seed in self._lane.seeds]
        html = picture_row(self.preview(), alts) + quiet_line(repr(self)[1:-1])
        return {"text/plain": repr(self), "text/html": html}

    @property
    def _lane(self) -> Lane:
        return self._passes.lane

    @property
    def _components(self) -> Components:
        return self._denoiser.components

    def _clean(self) -> Latents:
        """Return the best clean latents so far: after the last step, those it led to."""
        is_clean = self._lane.has_ended or self._lane.sigma == 0
        clean = self.x if is_clean else self.denoised
        return torch.zeros(0, 0, 0, 0) if clean is None else clean.detach()
