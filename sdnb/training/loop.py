"""The training loop, as a generator of events; averages of weights; resumable state.

    state = TrainState.begin(network)
    for event in train(state, loss_of, TrainPlan(clock=by_steps(500), peak_lr=2e-3)):
        print(event.step, event.loss)
    state.save(Path("checkpoint.pt"))

Here is nothing about what is trained. Losses are brought by ``denoising`` (any checkpoint's U-Net,
on your own pictures), ``points`` (the plane), and, for the embedded model, by ``autoencoder``,
``reading`` and ``diffusion``, which ``recipe`` brings together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from pickle import UnpicklingError
from time import perf_counter
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdnb.errors import InvalidField, LoadError, ModelError, reason_of
from sdnb.files import written_whole

COOLDOWN = 0.5
"""Last share of a training, in which the learning rate falls."""

PARTS = frozenset({"model", "average", "optimizer", "step", "seconds"})
"""What a checkpoint holds."""

_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    UnpicklingError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)
"""What a file raises that is no checkpoint, or holds something else."""

Network = TypeVar("Network", bound=nn.Module)

Clock = Callable[[int, float], float]
"""(steps taken, seconds spent) -> share of the training that is done, 0 to 1."""

Part = Callable[[], Float[Tensor, ""]]
"""A term of a step's loss, for instance that of some of its images."""

LossOfStep = Callable[[int, float], Sequence[Part]]
"""(step, share done) -> parts that add up to the loss; the step seeds all their randomness.

Parts may be computed side by side.
"""


@dataclass(frozen=True, kw_only=True)
class TrainEvent:
    """One optimizer step has been taken; ``seconds`` counts from the very first step."""

    step: int
    loss: float
    lr: float
    seconds: float
    progress: float


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """How long to train and how fast: a warm-up, a plateau, a straight fall to zero.

    The plateau makes a training that is given more time learn on at full speed.
    Source: Hägele et al. 2024 (arXiv:2405.18392), section 3.

    Parameters
    ----------
    clock : Clock
        See `by_steps` and `by_seconds`.
    peak_lr : float
        Learning rate after the warm-up.
    warmup : int
        Steps of linear warm-up; 0 is none.
    max_norm : float
        Longest gradient that is not shortened.
    workers : int
        Threads that take the parts of a step from a queue; a core that is busy
        elsewhere then takes fewer of them and holds up nobody.
    """

    clock: Clock
    peak_lr: float
    warmup: int = 100
    max_norm: float = 1.0
    workers: int = 1

    def lr(self, step: int, progress: float) -> float:
        """Learning rate of a step."""
        warm = min(1.0, (step + 1) / max(1, self.warmup))
        fall = min(1.0, (1 - progress) / COOLDOWN)
        return self.peak_lr * warm * max(fall, 0.0)


def by_steps(total: int) -> Clock:
    """Training ends after ``total`` steps, 1 or more: the same on every machine."""
    _check_length(total, "steps", "by_steps(500)")
    return lambda step, _seconds: step / total


def by_seconds(budget: int | float) -> Clock:
    """Training ends after ``budget`` seconds of training, over 0; pauses are not counted."""
    _check_length(budget, "seconds", "by_seconds(60)")
    return lambda _step, seconds: seconds / budget


def _check_length(length: int | float, unit: str, fix: str) -> None:
    if not (isfinite(length) and length > 0):
        raise InvalidField(
            f"a training goes on for some {unit}.", given=length, allowed="a number over 0", fix=fix
        )


@dataclass
class TrainState(Generic[Network]):
    """All that a training changes: weights, their average, optimizer, step and seconds."""

    model: Network
    optimizer: torch.optim.Optimizer
    average: Network
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def begin(cls, model: Network) -> "TrainState[Network]":
        """State before the first step: AdamW and an average equal to the weights."""
        optimizer = torch.optim.AdamW(
            model.parameters(), betas=(0.9, 0.99), weight_decay=1e-3, fused=True
        )
        average = deepcopy(model)
        average.requires_grad_(False).eval()
        return cls(model, optimizer, average)

    def save(self, path: Path) -> None:
        """Write everything needed to go on; the old file stays until the new one is whole.

        Raises `InvalidField` where it cannot be written.
        """
        parts = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        with written_whole(path) as partial:
            torch.save(parts, partial)

    def restore(self, path: Path) -> None:
        """Go back to what `save` wrote.

        Raises `LoadError`, and changes nothing, where the file is none of this network's training.
        """
        stored = self._stored(path)
        try:
            step, seconds = int(stored["step"]), float(stored["seconds"])
            self.optimizer.load_state_dict(stored["optimizer"])  # checked before it changes
        except _UNREADABLE as error:
            raise self._unfit(path, "nothing of a training that can go on") from error
        self.model.load_state_dict(stored["model"])
        self.average.load_state_dict(stored["average"])
        self.step, self.seconds = step, seconds

    # what torch.load gives has no common type
    def _stored(self, path: Path) -> dict[str, Any]:
        own = _shapes(self.model.state_dict())
        try:
            stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            missing = PARTS - stored.keys()
            found = [_shapes(stored[part]) for part in ("model", "average") if part in stored]
        except OSError as error:
            raise self._unfit(path, reason_of(error)) from error
        except _UNREADABLE as error:
            raise self._unfit(path, "nothing that TrainState.save writes") from error
        if missing:
            raise self._unfit(path, f"nothing of {', '.join(sorted(missing))}")
        differing = sorted({name for each in found for name, _ in each.items() ^ own.items()})
        if differing:
            raise self._unfit(path, f"weights that differ: {', '.join(differing[:3])}")
        return stored

    def _unfit(self, path: Path, found: str) -> LoadError:
        return LoadError(
            "this is no checkpoint of this network's training.",
            given=f"{path}: {found}",
            allowed="a file that TrainState.save wrote of a network of the same layers and sizes",
            fix="begin the state with the network that was saved",
        )


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in weights.items()}


def train(state: TrainState[Network], loss_of: LossOfStep, plan: TrainPlan) -> Iterator[TrainEvent]:
    """Descend the loss, one optimizer step an event, until the plan's clock reaches 1.

    The caller may stop at any event, save the state, and go on later with a new call: a loss that
    is seeded by the step makes the result the same as without the pause. So does an interrupt at
    any moment: a step is taken whole or not at all.
    """
    state.model.train()
    with ThreadPoolExecutor(plan.workers) as pool:
        while (progress := plan.clock(state.step, state.seconds)) < 1:
            started = perf_counter()
            lr = plan.lr(state.step, progress)
            state.optimizer.zero_grad(set_to_none=True)  # an interrupted step may have left some
            loss = sum(pool.map(descend, loss_of(state.step, progress)))
            if not isfinite(loss):
                raise _diverged(loss, state.step, lr)
            # an interrupt ends the waiting; the pool still ends the step
            pool.submit(take_step, state, lr, plan.max_norm).result()
            state.seconds += perf_counter() - started
            yield TrainEvent(
                step=state.step, loss=loss, lr=lr, seconds=state.seconds, progress=progress
            )


def _diverged(loss: float, step: int, lr: float) -> ModelError:
    return ModelError(
        "the loss is no number any more: the training went astray.",
        given=f"loss {loss} in step {step + 1}, learning rate {lr:.3g}",
        allowed="a finite loss",
        fix="begin anew, or from a checkpoint, with a lower learning rate",
    )


def descend(part: Part) -> float:
    """Add the gradient of a part to the parameters' gradients; its loss."""
    loss = part()
    torch.autograd.backward(loss)
    return loss.item()


def take_step(state: TrainState[Network], lr: float, max_norm: float) -> None:
    """Move the weights along the gathered gradients, and their average after them."""
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    nn.utils.clip_grad_norm_(state.model.parameters(), max_norm)
    state.optimizer.step()
    update_average(state.average, state.model, state.step)
    state.step += 1


def update_average(average: nn.Module, model: nn.Module, step: int) -> None:
    """Exponential moving average of what is trained; it forgets faster in the beginning."""
    decay = min(0.998, (1 + step) / (10 + step))
    pairs = zip(average.parameters(), model.parameters(), strict=True)
    slow, fast = zip(*(pair for pair in pairs if pair[1].requires_grad), strict=True)
    with torch.no_grad():
        torch._foreach_lerp_(slow, fast, 1 - decay)


@contextmanager
def averaged(state: TrainState[Network]) -> Iterator[None]:
    """Let the model compute with the averaged weights; its own come back after."""
    pairs = [*zip(state.model.parameters(), state.average.parameters(), strict=True)]

    def swap() -> None:
        for own, mean in pairs:
            own.data, mean.data = mean.data, own.data

    swap()
    try:
        yield
    finally:
        swap()
