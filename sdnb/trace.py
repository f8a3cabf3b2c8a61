"""Every state of a run: `Trace`, and the `Recorder` that gathers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch

from sdnb.errors import InvalidField, UnknownName
from sdnb.shapes import Film, Latents

BUDGET = 512.0
"""MB of network answers that a trace keeps unless told otherwise."""

KEEP = ("all", "steps", "none")
"""What a trace may keep: states and answers, states only, or the levels only."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One answer of the network as the sampler got it.

    ``eps`` holds each branch's answer by name, ``denoised_uncond`` what a CFG++ sampler was told
    beside ``denoised``. None where they were not kept.
    """

    sigma: float
    denoised: Latents | None = None
    eps: Mapping[str, Latents] | None = None
    denoised_uncond: Latents | None = None

    @property
    def nbytes(self) -> int:
        """Size of what is held."""
        parts = [self.denoised, self.denoised_uncond, *(self.eps or {}).values()]
        return sum(part.nbytes for part in parts if part is not None)


@dataclass(frozen=True, eq=False)
class Trace:
    """Every state of a run, on the CPU.

    Parameters
    ----------
    sigmas : tuple of float
        The N + 1 levels really taken.
    x : Tensor [N + 1, B, C, h, w]
        The latents at those levels; none where they were not kept.
    denoised : Tensor [N, B, C, h, w]
        The estimate each step was made from; none where they were not kept.
    evaluations : tuple of Evaluation
        Every answer of the network, in order.
    asked : tuple of int, [N]
        How many of those each step took.
    begin : int
        The step at which the sampler began; those before are of the run it branched from.
    """

    sigmas: tuple[float, ...]
    x: Film
    denoised: Film
    evaluations: tuple[Evaluation, ...]
    asked: tuple[int, ...]
    begin: int = 0

    @property
    def steps(self) -> int:
        """How many steps were made, N."""
        return len(self.asked)

    def check_states(self) -> None:
        """Raise `InvalidField` where there is no step whose states were kept."""
        if self.steps and not len(self.denoised):
            raise InvalidField(
                "the run kept none of its states.",
                given="keep='none'",
                allowed="keep='steps' or keep='all'",
                fix="run it again with keep='steps'",
            )
        if not self.steps:
            raise InvalidField(
                "the run ended before its first step: there are no states to show.",
                given="0 steps",
                allowed="a run of at least one step",
                fix="run it again, without an interrupt",
            )


@dataclass(eq=False)
class Recorder:
    """The growing trace; what it keeps is copied to the CPU while the device computes on.

    ``budget`` bounds the MB of the network's answers; it does not count the states. Raises
    `UnknownName` where ``keep`` is none of `KEEP`.
    """

    keep: str = "all"
    budget: float = BUDGET
    sigmas: list[float] = field(default_factory=list)
    x: list[Latents] = field(default_factory=list)
    denoised: list[Latents] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    begin: int = 0
    kept_bytes: int = 0
    _last: "_Copied | None" = None
    _answered: "_Copied | None" = None

    def __post_init__(self) -> None:
        UnknownName.check("keep", self.keep, KEEP, fix="keep='all'")

    def start(self, sigma: float, x: Latents) -> None:
        """Add the state that the run starts from."""
        self.sigmas.append(sigma)
        if self.keep != "none":
            self._last = _Copied.of(x)
            self.x.append(self._last.copy)

    def step(self, denoised: Latents, sigma: float, x: Latents) -> None:
        """Add a step: the estimate it was made from, the state that it reached."""
        self.asked.append(len(self.evaluations) - sum(self.asked))
        if self.keep != "none":
            answered = self._answered
            if answered is None or not answered.is_still(denoised):
                answered = _Copied.of(denoised)
            self.denoised.append(answered.copy)  # most steps are made from the last answer
        self.start(sigma, x)

    def replace_state(self, x: Latents) -> None:
        """Say from what the run goes on: other latents take the place of the last state."""
        if self._last is not None and not self._last.is_still(x):
            self._last = _Copied.of(x)
            self.x[-1] = self._last.copy

    def evaluation(self, answer: Evaluation) -> None:
        """Add an answer, as far as the budget allows."""
        self.kept_bytes += answer.nbytes
        is_kept = self.keep == "all" and self.kept_bytes <= self.budget * 2**20
        kept = _each(answer, _copied) if is_kept else Evaluation(answer.sigma)
        self.evaluations.append(kept)
        if answer.denoised is not None and kept.denoised is not None:
            self._answered = _Copied.of(answer.denoised, kept.denoised)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the budget had no room for, in a sentence."""
        if self.keep != "all" or self.kept_bytes <= self.budget * 2**20:
            return ()
        kept = sum(answer.denoised is not None for answer in self.evaluations)
        return (
            f"The trace keeps {kept} of {len(self.evaluations)} answers of the network, as many as "
            f"{self.budget:g} MB hold; all of them take {self.kept_bytes / 2**20:.0f} MB. "
            "Give a larger budget= to branch anywhere.",
        )

    def trace(self) -> Trace:
        """Return what was gathered, once all of it has arrived on the CPU."""
        if self._last is not None and self._last.tensor.is_cuda:
            torch.cuda.synchronize(self._last.tensor.device)
            self.x, self.denoised = ([*map(_unpinned, part)] for part in (self.x, self.denoised))
            self.evaluations = [_each(answer, _unpinned) for answer in self.evaluations]
        return Trace(
            tuple(self.sigmas),
            _film(self.x, self.x),
            _film(self.denoised, self.x),
            tuple(self.evaluations),
            tuple(self.asked),
            self.begin,
        )


@dataclass(frozen=True, eq=False)
class _Copied:
    """A tensor as it was when it was copied, with the copy."""

    tensor: Latents
    copy: Latents
    version: int

    @classmethod
    def of(cls, tensor: Latents, copy: Latents | None = None) -> "_Copied":
        return cls(tensor, _copied(tensor) if copy is None else copy, _version(tensor))

    def is_still(self, tensor: Latents) -> bool:
        """Whether this is the tensor that was copied, and nobody has altered it since.

        What is written through ``tensor.data``, or a NumPy array of it, PyTorch does not count.
        """
        return tensor is self.tensor and 0 <= self.version == _version(tensor)


def spaced(total: int, count: int) -> list[int]:
    """Return ``count`` of the numbers 0 … total - 1, evenly spaced, with both ends."""
    if count < 1:
        raise InvalidField(
            "a film has at least one frame.", given=count, allowed="1, 2, …", fix="ask for 10"
        )
    if count == 1 or total == 1:
        return [total - 1]
    shown = min(count, total)
    return [round(i * (total - 1) / (shown - 1)) for i in range(shown)]


def _film(frames: list[Latents], states: list[Latents]) -> Film:
    if frames:
        return torch.stack(frames)
    return torch.zeros(0, *(states[0].shape if states else (0, 0, 0, 0)))


def _copied(tensor: Latents) -> Latents:
    """Copy to the CPU; from a GPU into pinned memory, while it computes on."""
    if tensor.is_cpu:
        return tensor.detach().clone()
    if tensor.is_cuda:
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return pinned.copy_(tensor.detach(), non_blocking=True)
    return tensor.detach().to("cpu", copy=True)


def _unpinned(tensor: Latents) -> Latents:
    """Move what has arrived to memory that can be paged, so that the pinned is free again."""
    return tensor.clone() if tensor.is_pinned() else tensor


def _version(tensor: Latents) -> int:
    """Return what tells whether a tensor was altered in place; -1 where torch does not count."""
    return -1 if tensor.is_inference() else tensor._version


def _each(answer: Evaluation, change: Callable[[Latents], Latents]) -> Evaluation:
    def changed(part: Latents | None) -> Latents | None:
        return None if part is None else change(part)

    eps = answer.eps and {name: change(part) for name, part in answer.eps.items()}
    denoised, denoised_uncond = changed(answer.denoised), changed(answer.denoised_uncond)
    return replace(answer, denoised=denoised, eps=eps, denoised_uncond=denoised_uncond)
