"""Noise levels drawn by hand, and what they draw beside a schedule's.

    lab = Schedules(sdnb.load("tiny"))
    lab.move(3, 2.0)
    lab.draw(prompt="a red circle", seed=7)
    lab.wait()
    lab.pair.rmse

Levels fall by construction: what is moved pushes its neighbours along.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import randrange

import numpy as np
from PIL import ImageChops
from PIL.Image import Image
from traitlets import Any as AnyTrait
from traitlets import Bool, Bunch, observe

from sdnb.choice import Choice
from sdnb.comparison.schedules import ScheduleCurve, describe_schedules
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField, SdnbError
from sdnb.labs.lab import Lab
from sdnb.labs.levels import Levels, moved, numbers_of, resampled, short, text_of
from sdnb.picture import FromNoise
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request import GenerationRequest
from sdnb.result import Result

GAIN = 4
"""How much stronger a difference is drawn than it is."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """What the levels drew, and what the reference did from the same noise.

    Parameters
    ----------
    difference : PIL image
        Their distance in each pixel and colour, drawn `GAIN` times as strong.
    rmse : float
        Root of its mean square, in grey levels, 0 … 255.
    """

    drawn: Result
    reference: Result
    difference: Image
    rmse: float


class Schedules(Lab):
    """A schedule to be drawn, and those it is compared with.

    The form's ``schedule`` is the reference; the levels begin as its own.

    Attributes
    ----------
    levels : tuple of float, [S + 1]
        Those that are drawn, falling to 0; see `write` and `move`.
    chosen : tuple of str
        Schedules that are shown beside the reference.
    follows : bool
        Whether each change of the levels is sampled at once.
    curves : tuple of ScheduleCurve
        The reference first, then the chosen ones.
    typed : str
        The levels as they were typed, right or wrong.
    wrong : dict of str to SdnbError
        What cannot be of ``"levels"``, ``"schedule"`` or ``"chosen"``.
    pair : Pair or None
        What was sampled last; ``result`` is what the levels drew.
    """

    levels = AnyTrait(())
    chosen = AnyTrait(("normal", "exponential"))
    follows = Bool(False)
    curves = AnyTrait(())
    typed = AnyTrait("")
    wrong = AnyTrait({})
    pair = AnyTrait(None)

    def __init__(self, pipe: Pipeline, request: GenerationRequest | None = None) -> None:
        super().__init__(pipe, request)
        self._made: dict[GenerationRequest, Result] = {}  # of the last pair
        self._take(request or GenerationRequest())
        self.form.observe(self._follow_form, ["steps", "schedule"])

    @property
    def errors(self) -> dict[str, SdnbError]:
        """What is wrong with what is typed, by field."""
        return {**self.form.errors, **self.wrong, **self._needless()}

    @property
    def clock(self) -> NoiseSchedule:
        """What the model was trained on."""
        clock: NoiseSchedule = self.pipe.components.noise_schedule
        return clock

    @property
    def drawn(self) -> ScheduleCurve:
        """The levels with their timesteps."""
        (curve,) = describe_schedules([str(_chosen(self.levels))], noise_schedule=self.clock)
        return curve

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which levels the drawn ones can be moved: the model's, or beyond as they are."""
        lowest = (float(self.clock.sigma_min), *(levels[-2] for levels in self._all()))
        highest = (float(self.clock.sigma_max), *(levels[0] for levels in self._all()))
        return min(lowest), max(highest)

    def open(self, result: Result) -> None:
        """Type what a run was asked; where its levels were drawn by hand, they are drawn again."""
        self._take(result.request)

    def write(self, levels: Sequence[int | float] | str) -> None:
        """Draw these levels, numbers or text; `wrong` says where they do not fall."""
        try:
            numbers = numbers_of(levels) if isinstance(levels, str) else levels
            fallen = sigmas("custom", 1, sigmas=list(numbers)).tolist()
        except SdnbError as error:
            self.typed = levels if isinstance(levels, str) else text_of(levels)
            self.wrong = {**self.wrong, "levels": error}
            return
        if len(fallen) != len(self.levels):
            self.form.steps = len(fallen) - 1
        self._set(tuple(fallen))
        if isinstance(levels, str):
            self.typed = levels

    def move(self, index: int, sigma: float) -> None:
        """Move a level, 0 … S - 1; those that would be in its way are pushed along."""
        last = len(self.levels) - 2
        if not 0 <= index <= last:
            raise InvalidField(
                "there is no such level.", given=index, allowed=f"0 … {last}", fix="0 is the first"
            )
        self._set((*moved(self.levels[:-1], index, sigma, self.bounds), 0.0))

    def draw(self, **fields: object) -> None:
        """Sample with the levels and with the reference; what is made already stays.

        Nothing happens where `errors` says why. See `Lab.draw`.
        """
        self.form.type(fields)
        if not self.errors:
            super().draw()

    def copy_reference(self) -> None:
        """Draw the reference's levels."""
        if self.curves:
            self._set(short(self.curves[0].sigmas))

    def choose(self, *schedules: str) -> None:
        """Show these schedules beside the reference; `wrong` says which cannot be."""
        self.chosen = tuple(dict.fromkeys(schedules))

    def _take(self, request: GenerationRequest) -> None:
        seed = 0 if request.seed is None else request.seed  # one noise for all that is compared
        schedule = request.schedule
        if schedule.name == "custom":
            request = request.changed(schedule=GenerationRequest().schedule)
        self.form.fill(request.changed(start=FromNoise(), denoise=1.0, strength=None, seed=seed))
        self._describe()
        self.copy_reference()
        levels = dict(schedule.options).get("sigmas")
        if isinstance(levels, tuple):
            self.write(levels)

    def _draw(self, request: GenerationRequest) -> None:
        if request.seed is None:
            request = request.changed(seed=randrange(2**32))
        wanted = (request.changed(schedule=_chosen(self.levels)), request)
        runs = {each: self.pipe.start(each) for each in wanted if each not in self._made}
        if self._to_end(list(runs.values())):
            made = {**self._made, **{each: run.finish() for each, run in runs.items()}}
            self._made = {each: made[each] for each in wanted}
            drawn, reference = (self._made[each] for each in wanted)
            self._show_result(drawn, pair=_pair(drawn, reference))

    def _all(self) -> list[Levels]:
        drawn = [self.levels] if self.levels else []
        return [*drawn, *(curve.sigmas for curve in self.curves)]

    def _set(self, levels: Levels) -> None:
        before, self.levels = self.levels, levels
        self.typed = text_of(levels[:-1])
        self.wrong = {name: error for name, error in self.wrong.items() if name != "levels"}
        if self.follows and levels != before:
            self.draw()

    def _needless(self) -> dict[str, SdnbError]:
        """Say beside a sampler that it takes levels of its own."""
        name = str(self.form.sampler).partition(" ")[0]
        if not (SAMPLERS.knows(name) and SAMPLERS[name].own_levels):
            return {}
        error = InvalidField(
            "this sampler chooses its levels itself: a schedule changes little or nothing.",
            given=name,
            allowed="samplers that visit the levels of a schedule",
            fix="choose another, such as dpmpp_2m",
        )
        return {"sampler": error}

    def _follow_form(self, change: Bunch) -> None:
        """Stay with the reference until a level was moved; then keep the curve's shape."""
        is_reference = bool(self.curves) and self.levels == short(self.curves[0].sigmas)
        self._describe()
        steps = self._steps()
        if is_reference:
            self.copy_reference()
        elif steps is not None and change["name"] == "steps" and steps != len(self.levels) - 1:
            self._set(resampled(self.levels, steps))

    def _steps(self) -> int | None:
        request = self.form.request()
        return None if request is None else request.steps

    @observe("chosen")
    def _describe(self, _change: object = None) -> None:
        """Compute the curves anew; one that cannot be is left out, and said why."""
        steps, errors = self._steps(), dict[str, SdnbError]()
        if steps is None:
            return
        curves: list[ScheduleCurve] = []
        named = {"schedule": (str(self.form.schedule),), "chosen": self.chosen}
        for field, names in named.items():
            for name in names:
                try:
                    curves += describe_schedules([name], steps, noise_schedule=self.clock)
                except SdnbError as error:
                    errors[field] = error
        kept = {name: error for name, error in self.wrong.items() if name == "levels"}
        with self.hold_trait_notifications():
            self.curves = tuple({curve.name: curve for curve in curves}.values())
            self.wrong = {**kept, **errors}


def _chosen(levels: Levels) -> Choice:
    return Choice("custom", (("sigmas", levels),))


def choices() -> tuple[str, ...]:
    """Return the schedules that have levels of their own."""
    return tuple(name for name in SCHEDULES.names() if name != "custom")


def _pair(drawn: Result, reference: Result) -> Pair:
    one, other = drawn.images[0], reference.images[0]
    apart = ImageChops.difference(one, other)
    values = np.asarray(apart, dtype=np.float64)
    return Pair(
        drawn=drawn,
        reference=reference,
        difference=apart.point([min(255, GAIN * value) for value in range(256)] * 3),
        rmse=float(np.sqrt(np.square(values).mean())),
    )
