"""What can be trained while one looks on: here what subjects are, and the plane.

Subjects of pictures are in `sdnb.labs.picture_subjects`; how one is trained, in
`sdnb.labs.training`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from PIL.Image import Image
from torch import Tensor

from sdnb.comparison.plane import noise_errors
from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.diffusion.samplers.loop import sample
from sdnb.labs.training_form import DATASETS, TrainingRequest
from sdnb.pipeline import Pipeline
from sdnb.result import Result
from sdnb.training.computing import seeded
from sdnb.training.loop import LossOfStep, TrainState
from sdnb.training.points import PointNetwork, point_loss

Points = Float[Tensor, "_ 2"]
Drawn = Points | tuple[Image, ...]
"""What a network draws of one noise."""

Curve = Float[Tensor, " levels"]

Wanted = Callable[[], bool]
"""Whether something else is wanted: what takes long looks at it, and gives up."""

SHOWN, LEARNED, UNSEEN = 200, 4000, 2000
"""Points that are drawn as a sample, trained on, and measured with."""

TIMESTEPS = tuple(50.0 + 100 * i for i in range(10))
"""Where the error is measured, for all subjects."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned:
    """What was learned, ready to be used; later training does not change it.

    Parameters
    ----------
    pipeline : Pipeline
        What draws with it.
    path : Path or None
        The LoRA's file.
    results : mapping of str to Result
        The prompt, drawn ``"with"`` it; for a LoRA also ``"without"``, from the same noise.
    """

    pipeline: Pipeline
    path: Path | None
    results: Mapping[str, Result]


@runtime_checkable
class Subject(Protocol):
    """Something that can be trained.

    Attributes
    ----------
    state : TrainState
        All that changes.
    warmup, workers : int
        As `TrainPlan` takes them.
    """

    warmup: int
    workers: int

    @property
    def state(self) -> TrainState[Any]:
        """All that changes."""
        ...

    def loss(self, batch: int) -> LossOfStep:
        """Return the loss of steps on so many points or pictures."""
        ...

    def draw(self, wanted: Wanted) -> Drawn | None:
        """Draw from the fixed noise with the model's weights as they are; None if given up."""
        ...

    def errors(self, wanted: Wanted) -> Curve | None:
        """Measure the error of the noise at `TIMESTEPS`; None if given up."""
        ...

    def reference(self, wanted: Wanted) -> Mapping[str, Curve] | None:
        """Return what the errors are compared with, by name; None if given up."""
        ...

    def use(self, prompt: str, file: str, wanted: Wanted) -> Learned | None:
        """Make what was learned ready to be used; None if given up, or if it draws no prompts."""
        ...


class Plane:
    """A network that learns points in the plane."""

    warmup, workers = 100, 1

    def __init__(self, asked: TrainingRequest) -> None:
        self.data = DATASETS[asked.dataset]()
        self._points = self.data.draw(LEARNED, asked.seed)
        self._unseen = self.data.draw(UNSEEN, asked.seed + 1)
        self._seed = asked.seed
        self._noise = self.data.start(SHOWN, 10.0, asked.seed)
        clock = scaled_linear()
        self._levels = [clock.sigma(t) for t in TIMESTEPS]
        with seeded(asked.seed):
            self.state = TrainState.begin(PointNetwork())

    @property
    def shown(self) -> Points:
        """Some of the data."""
        return self._points[:SHOWN]

    def loss(self, batch: int) -> LossOfStep:
        """Return the loss of steps on so many points."""
        return point_loss(self.state.model, self._points, batch=batch, seed=self._seed)

    def draw(self, _wanted: Wanted) -> Points:
        """Return what the noise becomes, [SHOWN, 2]."""
        down = torch.cat([torch.logspace(1, -1.5, 12, dtype=torch.float64), torch.zeros(1)])
        return sample(self.state.model.denoise, self._noise, down, "heun")

    def errors(self, _wanted: Wanted) -> Curve:
        """Measure the error on points that it never saw."""
        return noise_errors(self.state.model.denoise, self._unseen, self._levels)

    def reference(self, _wanted: Wanted) -> Mapping[str, Curve]:
        """Return the least error there can be: the plane's best denoiser is a formula."""
        return {"best": noise_errors(self.data, self._unseen, self._levels)}

    def use(self, _prompt: str, _file: str, _wanted: Wanted) -> None:
        """Nothing: points are told no prompts; ``state.average.denoise`` is for `sdnb.sample`."""
