"""What is to be seen of a run: pictures with what they are, how far it is, all steps as a film."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sdnb.labs.sketch import Sketch
from sdnb.trace import Trace

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    step : int
        How many steps are made.
    total : int or None
        Of how many; None where the sampler chooses on the way.
    sigma : float
        The level of noise that is left.
    seconds_left : float or None
        What the rest will take, at the pace so far.
    """

    step: int
    total: int | None
    sigma: float
    seconds_left: float | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture, and the step it is of, from 1; sketches are drawn by `Sketch`, not decoded."""

    image: "Image"
    step: int
    is_sketch: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Film:
    """What the model took for the clean picture in each step.

    Parameters
    ----------
    frames : tuple of PIL images
        Of one size, that of sketches.
    sigmas : tuple of float
        The level of each.
    exact : frozenset of int
        Which frames were decoded; the others are sketches.
    begin : int
        Frames before it were made by the run it branched from.
    first, reach : int
        After how many steps a run can be held, at least and at most: all but the last of a whole
        one, and none that a run made which is gone.
    times : tuple of float
        The training timestep of each frame, where that is what they are called by.
    at : int or None
        The frame that is looked at first; None: the last.
    """

    frames: tuple["Image", ...]
    sigmas: tuple[float, ...]
    exact: frozenset[int] = frozenset()
    begin: int = 0
    first: int = 0
    reach: int = 0
    times: tuple[float, ...] = ()
    at: int | None = None

    def with_frame(self, index: int, image: "Image") -> "Film":
        """Return the film with one frame as it was decoded."""
        frames = list(self.frames)
        frames[index] = image.resize(frames[index].size)
        return replace(self, frames=tuple(frames), exact=self.exact | {index})


def film_of(
    trace: Trace, sketch: Sketch, decoded: Mapping[int, "Image"], *, image: int = 0
) -> Film | None:
    """Draw a film of an image of a batch; None before there is anything to draw.

    Parameters
    ----------
    decoded : mapping of int to PIL image
        Frames that were decoded, by their index.
    """
    frames = sketch.draw(trace.denoised[:, image]) if trace.steps else []
    if not frames:
        return None
    film = Film(
        frames=tuple(frames),
        sigmas=trace.sigmas[: trace.steps],
        reach=trace.steps - (trace.sigmas[-1] == 0),
    )
    for index, frame in decoded.items():
        if index < trace.steps:
            film = film.with_frame(index, frame)
    return film
