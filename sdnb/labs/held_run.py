"""A run in the hand, and what became of it: advanced, held, rewound, branched, ended.

Nothing here knows of threads: whoever calls waits. `sdnb.labs.studio` calls from its worker.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from PIL.Image import Image

from sdnb.errors import InvalidField, SdnbError
from sdnb.events import Event, StepEvent
from sdnb.labs.family import Family
from sdnb.labs.form import Form
from sdnb.labs.seen import Progress, Shown, film_of
from sdnb.labs.sketch import Sketch
from sdnb.labs.watch import Watch
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.run import Run
from sdnb.trace import Trace

Tell = Callable[..., None]
"""Takes what is new, by name: phase, progress, shown, film, closeup, result."""


class HeldRun:
    """One run at a time.

    Parameters
    ----------
    tell : Tell
        Told what is new.
    is_wanted : callable
        Whether something else is wanted, so that a run that goes on should give way.
    clock : callable
        Seconds, rising.
    """

    def __init__(
        self,
        pipe: Pipeline,
        tell: Tell,
        is_wanted: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._pipe, self._tell, self._is_wanted, self._clock = pipe, tell, is_wanted, clock
        self._sketch = Sketch(pipe.components.latent.factor)
        self._family = self._earlier = Family()  # of the run, and of the last result before it
        self._told: Result | None = None  # the result that is shown; None while a run is
        self._decoded: dict[int, Image] = {}  # of the run
        self._filmed: Trace | None = None
        self._frames: dict[int, Image] = {}  # of the film
        self._run: Run | None = None
        self._watch: Watch | None = None
        self._first = 0  # the step at which the run began
        self._cost: tuple[object, float | None] = None, None  # size, seconds that decoding takes

    @property
    def request(self) -> GenerationRequest | None:
        """What is held was asked by, or the last result; None before there is either."""
        if self._run is not None:
            return self._run.request
        return None if self._family.latest is None else self._family.latest.request

    def exchange(self, pipe: Pipeline) -> None:
        """Draw with another pipeline from the next run on."""
        self._pipe, self._sketch = pipe, Sketch(pipe.components.latent.factor)
        self._cost = None, None

    def begin(self, request: GenerationRequest) -> None:
        """Take a new run in the place of what is held."""
        run = self._pipe.start(request)
        if self._family.latest is not None:
            self._earlier = self._family
        self._family, self._filmed, self._frames = Family(), None, {}
        self._take(run, 0)
        self._tell(film=None, progress=None)

    def advance(self) -> None:
        """Go on to the end, or until something else is wanted."""
        if self._run is None:
            self._rest()
            return
        self._tell(phase="running")
        while self._run is not None and not self._is_wanted():
            self._go_on()

    def make_step(self) -> None:
        """Go on to the end of the next step, whatever else is wanted, and hold."""
        if self._run is None:
            self._rest()
            return
        self._tell(phase="running")
        event: Event | None = None
        while not isinstance(event, StepEvent) and self._run is not None:
            event = self._go_on()
        if self._run is not None and self._run.index == total_steps(self._run):
            self.advance()  # the last step: what is left is to decode
        else:
            self.hold()

    def step_back(self) -> None:
        """Hold the run, or the last result, as it was one step before."""
        latest = self._family.latest
        made = 0 if latest is None else latest.trace.steps
        made = made if self._run is None else self._run.index
        if made > self._family.first:
            self.rewind(made - 1)
        else:
            self.hold()

    def hold(self) -> None:
        """Look at what is held, exactly."""
        run, watch = self._run, self._watch
        if run is None or watch is None:
            self._rest()
            return
        self._stand(run, watch)
        shown = watch.decode(run.index)
        self._tell(shown=shown)
        if run.index > self._first or self._filmed is None:
            self._show_film(run.trace, self._decoded, begin=self._first)
        elif shown is not None:
            self._tell(closeup=(run.index - 1, shown.image))

    def rewind(self, step: int) -> None:
        """Hold the run as it was after ``step`` steps."""
        if self._run is None or step != self._run.index:
            self._check(step)
            self._take(self._pipe.branch(self._source(step), step), step)
        self.hold()

    def branch(self, step: int | None, form: Form) -> None:
        """Go on from a step, by default this one, with what a form says otherwise."""
        if step is None:
            step = 0 if self._run is None else self._run.index
        asked = self.request
        if asked is None or form.refuse_fixed(asked):
            self.hold()
            return
        self._check(step)
        source = self._source(step)
        try:
            run = self._pipe.branch(source, step, **form.changes(source.request))
        except SdnbError:
            self.rewind(step)  # what was held is held again
            raise
        self._take(run, step)
        self.advance()

    def end(self) -> None:
        """End the run; what there is of it is the result."""
        if self._run is not None:
            self._run.cancel()
            self._finish(self._run)

    def look(self, index: int) -> None:
        """Decode a frame of the film."""
        trace = self._filmed
        if trace is not None and 0 <= index < trace.steps:
            if index not in self._frames:
                (self._frames[index],) = self._pipe.decode(trace.denoised[index, :1])
            self._tell(closeup=(index, self._frames[index]))

    def show(self, result: Result) -> None:
        """Show a result; it can be rewound and branched."""
        self._show(result, {})

    def recover(self) -> None:
        """Hold the run after an error; show the last result where it cannot go on.

        Nothing is decoded: that may be what failed.
        """
        run, watch = self._run, self._watch
        if run is None or watch is None or run.has_failed:
            self._rest()
            return
        self._stand(run, watch)
        if run.index > self._first:
            self._show_film(run.trace, self._decoded, begin=self._first)

    def _stand(self, run: Run, watch: Watch) -> None:
        trace = run.trace
        sigma = trace.sigmas[-1] if trace.sigmas else run.sigmas[0]
        self._tell(phase="paused", progress=watch.progress(run.index, total_steps(run), sigma))

    def _rest(self) -> None:
        """Stand at the last result, without a run."""
        self._run = None
        if self._family.latest is None:
            self._family = self._earlier
        latest = self._family.latest
        if latest is None:
            self._tell(phase="idle", shown=None, film=None, progress=None)
        elif latest is self._told:
            self._tell(phase=_ended(latest))
        else:
            self.show(latest)

    def _show(self, result: Result, decoded: Mapping[int, Image]) -> None:
        steps, image = result.trace.steps, result.images[0]
        self._run, self._told = None, result
        self._family.add(result)
        self._sketch.learn(result.latents[:1], result.images[:1])
        last = {steps - 1: image} if steps and not result.interrupted else {}
        begin = 0 if result.parent is None else result.parent[1]
        self._show_film(result.trace, {**decoded, **last}, begin=begin)
        sigma = result.trace.sigmas[-1] if steps else 0.0
        self._tell(shown=Shown(image, steps), result=result)
        progress = Progress(step=steps, total=steps, sigma=sigma)
        self._tell(progress=progress, phase=_ended(result))  # once all that it led to is there

    def _take(self, run: Run, step: int) -> None:
        if self._run is not None:
            self._run.cancel()
        size = (run.request.width, run.request.height)
        self._decoded = {i: image for i, image in self._frames.items() if i < step}
        self._run, self._first, self._told = run, step, None
        cost = self._cost[1] if self._cost[0] == size else None
        self._watch = Watch(run, self._sketch, self._clock, cost)
        self._watch.decoded = self._decoded

    def _go_on(self) -> Event | None:
        """Go on by one event, at most one call of the network; at the end there is a result."""
        run, watch = self._run, self._watch
        if run is None or watch is None:
            return None
        event = next(run, None)
        if event is None:
            self._finish(run)
        elif isinstance(event, StepEvent) and (seen := watch.look(event)) is not None:
            progress, shown = seen
            self._tell(progress=progress, **({} if shown is None else {"shown": shown}))
        self._cost = (run.request.width, run.request.height), watch.cost
        return event

    def _finish(self, run: Run) -> None:
        result = run.finish()
        if result.images:
            self._earlier = Family()
            self._show(result, self._decoded)
        else:
            self._rest()

    def _check(self, step: int) -> None:
        """Raise `InvalidField` for a step that cannot be gone back to, before all is let go."""
        run, latest = self._run, self._family.latest
        if latest is not None and latest.request.hires is not None:
            raise InvalidField(
                "the steps of a run of two passes cannot be held.",
                given=latest.request.hires,
                allowed="runs without hires",
                fix="generate without hires first",
            )
        reach = 0 if latest is None else latest.trace.steps + latest.interrupted
        if run is not None and run.index > self._first:
            reach = run.index + 1
        if not (first := self._family.first) <= step < reach:
            raise InvalidField(
                "there is no such step to go back to.",
                given=step,
                allowed=f"{first} … {reach - 1}" if reach else "none: no step is made",
                fix="generate first",
            )

    def _source(self, step: int) -> Result:
        """Return the result whose own the state after ``step`` steps is."""
        run = self._run
        if run is not None and run.index > self._first:
            run.cancel()
            result = run.finish()
            self._family.add(result)
            self._run = None
            self._show_film(result.trace, self._decoded, begin=self._first)
        found = self._family.source(step)
        if found is None:
            raise InvalidField("this step was made by a run that is gone.", given=step)
        return found

    def _show_film(self, trace: Trace, decoded: Mapping[int, Image], *, begin: int) -> None:
        film = film_of(trace, self._sketch, decoded)
        self._filmed = None if film is None else trace
        self._frames = dict(decoded)
        self._tell(film=film and replace(film, begin=begin, first=self._family.first))


def _ended(result: Result) -> str:
    return "stopped" if result.interrupted else "finished"


def total_steps(run: Run) -> int | None:
    """Return how many steps a run makes; None where its sampler chooses on the way."""
    own_levels = SAMPLERS[run.request.sampler.name].own_levels
    return None if own_levels else len(run.sigmas) - 1
