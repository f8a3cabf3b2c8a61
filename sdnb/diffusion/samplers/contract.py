"""What a sampler is: a generator that asks for the model's answer and proposes steps.

It yields `Evaluate` and is sent ``denoised`` (or `EvaluateBoth`, and is sent a pair); it yields
`Step` and is sent the ``x`` to go on from (hooks may have changed it). It calls no model, moves
no tensor, knows no device; its memory is its local variables. `sdnb.diffusion.samplers.loop`
drives it.
"""

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.samplers.options import check_options
from sdnb.registry import SAMPLERS
from sdnb.shapes import State


@dataclass(frozen=True, eq=False)
class Evaluate:
    """A question: the clean latents under ``x`` at level ``sigma``, please."""

    x: State
    sigma: float


@dataclass(frozen=True, eq=False)
class EvaluateBoth:
    """The same question, answered ``(denoised, denoised_uncond)``: guided, and without a prompt.

    CFG++ steps along the unguided direction (Chung et al. 2024, arXiv:2406.08070).
    """

    x: State
    sigma: float


@dataclass(frozen=True, eq=False)
class Step:
    """A proposal: go on from ``x_next`` at level ``sigma_next``.

    ``denoised`` is the estimate of the clean latents that the step was made from.
    """

    denoised: State
    x_next: State
    sigma_next: float


# What a generator is sent depends on what it yielded last: a tensor after Evaluate and Step, a
# pair of them after EvaluateBoth. Python's types cannot say so.
Proposals = Generator[Evaluate | EvaluateBoth | Step, Any, None]

YOUR_OWN = "your own"
"""Family of the samplers that users register."""

# Samplers differ in their keyword options, which no common signature can name.
SamplerFunction = Callable[..., Proposals]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A sampler function with what is known about it.

    Parameters
    ----------
    family : str
        The method it belongs to, as its literature calls it: ``"DPM-Solver++"``.
    order : int
        Order of convergence of the method without noise, as the tests measure it with many
        steps on a problem with a known solution; 0 where it does not converge, None where that
        cannot be measured (the noise belongs to it, or it chooses its own steps).
    nominal_order : int
        The order its paper states.
    history : int
        How many answers of earlier steps it remembers.
    stochastic : bool
        It draws noise inside the loop, unless an option switches that off.
    brownian : bool
        What it draws are increments of one Brownian path, so that they fit whatever the steps.
    own_levels : bool
        It visits levels of its own between the ends of ``sigmas``.
    adaptive : bool
        It chooses those by the error it sees, so each image of a batch needs a run of its own.
    asks_both : bool
        It asks with `EvaluateBoth`.
    discard_penultimate : bool
        In practice it is run on schedules without the level before 0.
    """

    name: str
    function: SamplerFunction
    family: str
    order: int | None
    nominal_order: int | None
    history: int = 0
    stochastic: bool = False
    brownian: bool = False
    own_levels: bool = False
    adaptive: bool = False
    asks_both: bool = False
    discard_penultimate: bool = False

    @property
    def __wrapped__(self) -> SamplerFunction:
        """The function, where `inspect.signature` looks for it."""
        return self.function

    @property
    def paper(self) -> str | None:
        """The first paper its docstring names: ``"arXiv:2206.00364"``."""
        found = re.search(r"arXiv:\d{4}\.\d{5}", self.function.__doc__ or "")
        return found and found.group()

    def __call__(
        self,
        x: State,
        sigmas: Sequence[float],
        noise: Noise,
        noise_schedule: NoiseSchedule,
        **options: Any,
    ) -> Proposals:
        """Start the generator; ``sigmas`` are Python floats falling to 0.

        A function that declares the keyword ``noise_schedule`` is told the model's.
        """
        if self.family != YOUR_OWN:
            check_options(self.name, options)
        if self._hears_noise_schedule:
            options["noise_schedule"] = noise_schedule
        return self.function(x, sigmas, noise, **options)

    @cached_property
    def _hears_noise_schedule(self) -> bool:
        return "noise_schedule" in signature(self.function).parameters


def sampler(
    name: str,
    *,
    order: int | None,
    nominal_order: int | None = None,
    family: str = YOUR_OWN,
    history: int = 0,
    stochastic: bool = False,
    brownian: bool = False,
    own_levels: bool = False,
    adaptive: bool = False,
    asks_both: bool = False,
    discard_penultimate: bool = False,
) -> Callable[[SamplerFunction], Sampler]:
    """Register a sampler under ``name``: a flag, a menu entry, an axis, and the law tests.

    See `Sampler` for the parameters; ``nominal_order`` is ``order`` unless said otherwise.
    """

    def register(function: SamplerFunction) -> Sampler:
        entry = Sampler(
            name=name,
            function=function,
            family=family,
            order=order,
            nominal_order=order if nominal_order is None else nominal_order,
            history=history,
            stochastic=stochastic,
            brownian=brownian,
            own_levels=own_levels or adaptive,
            adaptive=adaptive,
            asks_both=asks_both,
            discard_penultimate=discard_penultimate,
        )
        SAMPLERS.add(name, entry, source=f"{function.__module__}:{function.__qualname__}")
        return entry

    return register
