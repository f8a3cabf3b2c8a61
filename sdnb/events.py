"""What happens in a run, and the hooks that may change it.

A hook is any callable that takes one event. It returns None (only looked), a tensor that
replaces the event's **last field**, or ``dataclasses.replace(event, ...)``. How hooks are called
and what they return is checked is in `sdnb.intercept`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, no_type_check

from torch import Tensor, nn

from sdnb.conditioning import Branches, Token
from sdnb.errors import InvalidField
from sdnb.hook_use import MODULE, POINTS
from sdnb.registry import HOOKS
from sdnb.shapes import Activation, Embeds, Images, Latents


@dataclass(frozen=True, eq=False)
class TextEvent:
    """A prompt became vectors; fires once for each branch. Replace: ``embeds``."""

    prompt: str
    tokens: tuple[tuple[Token, ...], ...]
    embeds: Embeds


@dataclass(frozen=True, eq=False)
class StartEvent:
    """The run is about to start at level ``sigma_max``. Replace: ``x``."""

    sigma_max: float
    x: Latents


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelEvent:
    """The network is about to be asked. Replace: ``x`` for this question only.

    ``index`` is the step (of ``total``), ``evaluation`` counts questions from 0. ``branches``
    may be replaced to ask other things. ``denoise(x)`` asks the sampler's own question (as it
    was before any hook) at another point with gradients on, and counts as an evaluation.
    """

    index: int
    total: int | None
    evaluation: int
    sigma: float
    t: float
    branches: Branches
    denoise: Callable[[Tensor], Tensor] = field(repr=False)
    x: Latents


@dataclass(frozen=True, eq=False, kw_only=True)
class DenoiseEvent:
    """The network answered and guidance was applied. Replace: ``denoised``.

    ``eps`` holds each branch's own answer by name (``eps["uncond"]``, ``eps["cond"]``);
    ``denoise(x)`` asks the question that was answered, as hooks left it, at another point.
    """

    index: int
    total: int | None
    evaluation: int
    sigma: float
    t: float
    cfg_scale: float
    x: Latents
    eps: Mapping[str, Latents]
    denoise: Callable[[Tensor], Tensor] = field(repr=False)
    denoised: Latents

    @property
    def v(self) -> Latents:
        """The guided velocity (Salimans & Ho 2022, arXiv:2202.00512)."""
        return velocity((self.x - self.denoised) / self.sigma, self.denoised, self.sigma)

    @property
    def x0(self) -> Latents:
        """Another name of ``denoised``."""
        return self.denoised


@dataclass(frozen=True, eq=False, kw_only=True)
class StepEvent:
    """A step was made. Replace: ``x_next``, where the sampler goes on from."""

    index: int
    total: int | None
    sigma: float
    sigma_next: float
    x: Latents
    denoised: Latents
    x_next: Latents

    @property
    def eps(self) -> Latents:
        """The noise estimate of this step, ``(x - denoised) / sigma``."""
        return (self.x - self.denoised) / self.sigma

    @property
    def v(self) -> Latents:
        """The velocity of this step (Salimans & Ho 2022, arXiv:2202.00512)."""
        return velocity(self.eps, self.denoised, self.sigma)

    @property
    def x0(self) -> Latents:
        """Another name of ``denoised``."""
        return self.denoised


@dataclass(frozen=True, eq=False)
class ImageEvent:
    """The latents became pictures. Replace: ``images``, pixels in 0 … 1."""

    latents: Latents
    images: Images


@dataclass(frozen=True, eq=False, kw_only=True)
class ModuleEvent:
    """A module inside the network was called. Replace: ``activation``.

    Parameters
    ----------
    path : str
        The module's place in the U-Net, ``"mid_block"``; ``"mid_block.input"`` for what goes in.
    module : torch.nn.Module
        The module itself, to be read and called, not to be changed.
    rows : mapping of str to slice
        Where in the batch each branch stands: ``activation[rows["cond"]]``.
    inputs : Tensor
        What the module was given first.
    activation : Tensor [R, ...]
        What it gives, R rows; of several tensors the first.
    """

    index: int
    total: int | None
    evaluation: int
    sigma: float
    t: float
    path: str
    module: nn.Module = field(repr=False)
    rows: Mapping[str, slice]
    inputs: Activation
    activation: Activation


Event = TextEvent | StartEvent | ModelEvent | DenoiseEvent | StepEvent | ImageEvent
Hook = Callable[[Any], Any]  # one event in; None, a tensor or a changed event out


@dataclass(frozen=True)
class During:
    """A hook for the steps ``first`` to ``last`` only (counted from 0; None: to the end)."""

    hook: Hook
    first: int = 0
    last: int | None = None

    def __call__(self, event: "Event | ModuleEvent") -> object:
        """Call the hook if the event's step is among these, or the event has no step."""
        index = getattr(event, "index", self.first)
        if index < self.first or (self.last is not None and index > self.last):
            return None
        return self.hook(event)


@dataclass(frozen=True)
class Tap:
    """A hook on a module of the U-Net; ``path`` as in `ModuleEvent`."""

    path: str
    hook: Hook


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True)
class Hooks:
    """The hooks of a run by point, called in their order; ``hooks_a + hooks_b`` joins them.

    ``on_module`` holds taps inside the network; `on_module` makes them.
    """

    on_text: tuple[Hook, ...] = ()
    on_start: tuple[Hook, ...] = ()
    on_model: tuple[Hook, ...] = ()
    on_denoise: tuple[Hook, ...] = ()
    on_step: tuple[Hook, ...] = ()
    on_image: tuple[Hook, ...] = ()
    on_module: tuple[Tap, ...] = ()

    def __post_init__(self) -> None:
        for name, hooks in self._by_point():
            if not isinstance(hooks, tuple) or not all(callable(hook) for hook in hooks):
                raise InvalidField(
                    f"on_{name} takes a tuple of callables.",
                    given=hooks,
                    fix=f"Hooks(on_{name}=(my_function,))",
                )
        if not isinstance(self.on_module, tuple) or not all(
            isinstance(tap, Tap) for tap in self.on_module
        ):
            raise InvalidField(
                "on_module takes a tuple of taps.",
                given=self.on_module,
                fix='sdnb.on_module("mid_block", my_function)',
            )

    def __add__(self, other: "Hooks") -> "Hooks":
        """Join: this one's hooks first."""
        mine, theirs = dict(self._by_point()), dict(other._by_point())
        joined = {f"on_{name}": mine[name] + theirs[name] for name in POINTS}
        return Hooks(**joined, on_module=self.on_module + other.on_module)

    def at_points(self) -> Iterator[tuple[str, Hook]]:
        """Give each hook with its point: ``"step"``, or ``"module.mid_block"`` for a tap."""
        yield from ((name, hook) for name, hooks in self._by_point() for hook in hooks)
        yield from ((MODULE + tap.path, tap.hook) for tap in self.on_module)

    @classmethod
    def at(cls, point: str, hook: Hook) -> "Hooks":
        """Return one hook at a point, as `at_points` names it."""
        if point.startswith(MODULE):
            return on_module(point.removeprefix(MODULE), hook)
        points: dict[str, Any] = {f"on_{point}": (hook,)}
        return cls(**points)

    def _by_point(self) -> Iterator[tuple[str, tuple[Hook, ...]]]:
        return ((name, getattr(self, f"on_{name}")) for name in POINTS)


def on_module(path: str, hook: Hook) -> Hooks:
    """Call a hook each time a module of the U-Net was called, with a `ModuleEvent`.

    Parameters
    ----------
    path : str
        As in ``unet.named_modules()``: ``"mid_block"``. With ``.input`` at its end the hook sees,
        and may replace, what goes into the module. A run with an unknown path raises
        `UnknownName` before it starts.
    hook : callable
        A `During` limits it to some steps.
    """
    return Hooks(on_module=(Tap(path, hook),))


def hook(name: str) -> Callable[[Hook], Hook]:
    """Register a hook under ``name``, so that requests can carry it: ``--on step:name``."""
    return HOOKS.register(name)


def velocity(eps: Latents, x0: Latents, sigma: float) -> Latents:
    """Return ``v = (eps - sigma * x0) / sqrt(1 + sigma**2)`` (Salimans & Ho 2022, section 4)."""
    return (eps - sigma * x0) / sqrt(1 + sigma**2)
