"""What a sampler is: a generator that asks for the model's answer and proposes steps.

It yields `Evaluate` and is sent ``denoised``; it yields `Step` and is sent the ``x`` to go on
from (hooks may have changed it). It calls no model, moves no tensor, knows no device; its memory
is its local variables. `sdnb.diffusion.samplers.loop` drives it.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from sdnb.diffusion.noise import Noise
from sdnb.registry import SAMPLERS
from sdnb.shapes import State


@dataclass(frozen=True, eq=False)
class Evaluate:
    """A question: the clean latents under ``x`` at level ``sigma``, please."""

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


Proposals = Generator[Evaluate | Step, Tensor, None]

# Samplers differ in their keyword options, which no common signature can name.
SamplerFunction = Callable[..., Proposals]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """A sampler function with what is known about it.

    Parameters
    ----------
    order : int
        Order of convergence as measured in the tests on a problem with a known solution.
    nominal_order : int
        The order its paper states.
    stochastic : bool
        It draws noise inside the loop.
    discard_penultimate : bool
        In practice it is run on schedules without the level before 0.
    """

    name: str
    function: SamplerFunction
    order: int
    nominal_order: int
    stochastic: bool = False
    discard_penultimate: bool = False

    @property
    def __wrapped__(self) -> SamplerFunction:
        """The function, where `inspect.signature` looks for it."""
        return self.function

    def __call__(
        self, x: State, sigmas: Sequence[float], noise: Noise, **options: Any
    ) -> Proposals:
        """Start the generator; ``sigmas`` are Python floats falling to 0."""
        return self.function(x, sigmas, noise, **options)


def sampler(
    name: str,
    *,
    order: int,
    nominal_order: int | None = None,
    stochastic: bool = False,
    discard_penultimate: bool = False,
) -> Callable[[SamplerFunction], Sampler]:
    """Register a sampler under ``name``: a flag, a menu entry, an axis, and the law tests.

    See `Sampler` for the parameters; ``nominal_order`` is ``order`` unless said otherwise.
    """

    def register(function: SamplerFunction) -> Sampler:
        entry = Sampler(
            name=name,
            function=function,
            order=order,
            nominal_order=order if nominal_order is None else nominal_order,
            stochastic=stochastic,
            discard_penultimate=discard_penultimate,
        )
        SAMPLERS.add(name, entry, source=f"{function.__module__}:{function.__qualname__}")
        return entry

    return register
