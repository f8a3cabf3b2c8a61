"""Noise added to a picture, level by level, and what the network makes of it at each of them.

    lab = Forward(sdnb.load("tiny"))
    lab.draw(prompt="a red circle", seed=7)
    lab.wait()
    lab.levels[4].correlation

The picture is drawn from the form's prompt, or is the form's ``image``. All levels get the same
noise, and are prepared at once: whoever scrubs through them asks neither network nor kernel.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from random import randrange

from PIL.Image import Image
from traitlets import Any as AnyTrait

from sdnb.choice import Choice
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.microscope import inspect_levels
from sdnb.comparison.plan import Cell
from sdnb.errors import InvalidField, SdnbError
from sdnb.labs.lab import Lab
from sdnb.labs.levels import resampled
from sdnb.labs.noise_level import Level, film_of_levels, grids_of
from sdnb.labs.seen import Progress
from sdnb.picture import FromImage, FromNoise, Picture
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.run import Run
from sdnb.start import Opening, plan_levels

MOST = 40
"""Noise levels, at most."""

UNASKED = 60.0
"""Seconds that an opened result may cost; what takes longer waits until it is asked for."""


class Forward(Lab):
    """A picture under noise.

    Attributes
    ----------
    count : int
        How many levels, evenly spaced over the training timesteps 0 … T - 1; 2 … `MOST`.
    noise_seed : int or None
        Of the noise that is added; None: another than the picture's, its seed + 1.
    picture : PIL image or None
        What is noised.
    levels : tuple of Level, [count]
        From the least noise to the most.
    grids : Grids or None
        A frame a level: noisy latents, noise added and seen, their difference, the estimate.
    """

    count = AnyTrait(10)
    noise_seed = AnyTrait(None)
    picture = AnyTrait(None)
    levels = AnyTrait(())
    grids = AnyTrait(None)

    @property
    def errors(self) -> dict[str, SdnbError]:
        """What is wrong with what is typed, by field."""
        own = {"count": self._count, "noise_seed": self._noise_seed}
        found = dict(self.form.errors)
        for name, read in own.items():
            try:
                read()
            except InvalidField as error:
                found[name] = error
        return found

    def draw(self, **fields: object) -> None:
        """Noise the picture; nothing happens where `errors` says why."""
        self.form.type(fields)
        if not self.errors:
            super().draw()

    def open(self, result: Result) -> None:
        """Noise the picture of a result; its fields are typed.

        What noise alone did not begin cannot be drawn from the fields again: it stands there as
        a picture. Runs from every level are made where all of them take less than `UNASKED`.
        """
        if not result.images:
            raise InvalidField(
                "this result has no picture to be noised.",
                given=f"a run interrupted after {result.trace.steps} steps",
                allowed="a result with a picture",
                fix="lab.draw(prompt=...) draws one",
            )
        asked = result.request
        if not isinstance(asked.start, FromNoise) or asked.hires or result.parent is not None:
            start = FromImage(Picture.of(result.images[0]))
            asked = asked.changed(start=start, denoise=1.0, strength=None)
        self.form.fill(asked)
        self.form.seed = result.seeds[0]
        request = self.form.request()
        if request is not None:
            self._compute(partial(self._open, request, result))

    def _open(self, request: GenerationRequest, result: Result) -> None:
        picture = result.images[0]
        noised = self._noised(request.changed(seed=result.seeds[0]), picture)
        if self._ask_levels(noised, picture):
            self.result = result
            if result.seconds * len(self.levels) > UNASKED or self._run_levels(noised):
                self._rest()

    def _draw(self, request: GenerationRequest) -> None:
        if request.seed is None:
            request = request.changed(seed=randrange(2**32))
        start = request.start
        if not isinstance(start, FromNoise):
            if self._noise(request, start.picture.open()):
                self._show_result(self.levels[-1].run)
            return
        run = self.pipe.start(request)
        if self._to_end([run]):
            self.result = run.finish()  # whoever stops from now on keeps it
            if self._noise(request, self.result.images[0]):
                self._rest()

    def _noise(self, request: GenerationRequest, picture: Image) -> bool:
        """Show a picture at all levels; False where something else was wanted."""
        noised = self._noised(request, picture)
        return self._ask_levels(noised, picture) and self._run_levels(noised)

    def _noised(self, request: GenerationRequest, picture: Image) -> GenerationRequest:
        """Return the request to draw on from a picture under noise, at every level the same."""
        start, seed = FromImage(Picture.of(picture)), self._noise_seed(request.seed or 0)
        return request.changed(start=start, seed=seed, denoise=1.0, strength=None)

    def _ask_levels(self, noised: GenerationRequest, picture: Image) -> bool:
        """Ask the network at all levels, and show it; False where something else was wanted."""
        with self.pipe.turn():
            x0 = Opening(self.pipe.components, noised, (noised.seed or 0,)).clean
        clock = self.pipe.components.noise_schedule
        timesteps = evenly(len(clock.alphas_cumprod), self._count())
        levels: list[Level] = []
        for seen in inspect_levels(self.pipe, x0, timesteps, noised.changed(cfg_scale=1.0)):
            if self._worker.is_wanted:
                return False
            levels.append(Level(seen))
            self.progress = Progress(step=len(levels), total=len(timesteps), sigma=seen.sigma)
        self._show_levels(picture, levels)
        return True

    def _show_levels(self, picture: Image, levels: Sequence[Level]) -> None:
        size = levels[0].seen.decoded["x"].size
        news = {
            "picture": picture.resize(size),
            "grids": grids_of(levels),
            "film": film_of_levels(levels),
            "levels": tuple(levels),
        }
        with self.hold_trait_notifications():
            for name, value in news.items():
                setattr(self, name, value)

    def _run_levels(self, noised: GenerationRequest) -> bool:
        """Denoise from all levels, side by side; False where something else was wanted.

        A run that fails leaves the others; what failed first is raised in the end.
        """
        engine, levels = Lockstep(self.pipe), list(self.levels)
        schedule = plan_levels(self.pipe.components, noised)
        cells = {
            index: _cell(noised, level.seen.sigma, schedule) for index, level in enumerate(levels)
        }
        runs: list[Run] = []
        failures: list[SdnbError] = []
        with closing(engine.rounds(cells)) as rounds:
            for made in rounds:
                failures += made.failed.values()
                for index, result in made.ended.items():
                    levels[index] = replace(levels[index], run=result)
                if self._worker.is_wanted:
                    break
                runs = runs or list(engine.runs.values())
                self._tell_progress(runs, levels[-1].seen.sigma)
        self.levels = tuple(levels)
        if failures:
            raise failures[0]
        return all(each.run is not None for each in levels)

    def _count(self) -> int:
        return _whole("count", self.count, 2, MOST)

    def _noise_seed(self, seed: int = 0) -> int:
        if self.noise_seed in (None, ""):
            return (seed + 1) % 2**32
        return _whole("noise_seed", self.noise_seed, 0, 2**32 - 1)


def evenly(T: int, count: int) -> list[float]:
    """Return training timesteps from 0 to T - 1, evenly spaced but for rounding."""
    return [float(round(index * (T - 1) / (count - 1))) for index in range(count)]


def falling_from(sigma: float, levels: Sequence[float]) -> Choice:
    """Return a schedule of as many steps that begins at ``sigma``, and falls like ``levels``.

    Parameters
    ----------
    levels : sequence of float, [S + 1]
        Falling to 0. Where none of them is under ``sigma``, there is a single step.
    """
    below = [level for level in levels[:-1] if 0 < level < 0.99 * sigma]
    steps = len(levels) - 1 if below else 1
    return Choice("custom", (("sigmas", resampled((sigma, *below, 0.0), steps)),))


def _cell(noised: GenerationRequest, sigma: float, levels: Sequence[float]) -> Cell:
    return Cell(labels=(), request=noised.changed(schedule=falling_from(sigma, levels)))


def _whole(name: str, typed: object, least: int, most: int) -> int:
    """Read a whole number as it was typed, or raise `InvalidField`."""
    text = str(typed).strip()
    number = int(text) if text.isdecimal() and len(text) <= 10 else -1
    if not least <= number <= most:
        raise InvalidField(
            f"{name} is a whole number.",
            given=typed,
            allowed=f"{least} … {most}",
            fix=f"type {max(least, min(most, 10))}",
        )
    return number
