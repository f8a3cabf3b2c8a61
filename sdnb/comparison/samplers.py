"""What is known of each sampler, and what each costs on the model at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from sdnb.comparison.denoising import Counted, as_denoiser, starting_latents
from sdnb.diffusion.analytic import three_blobs
from sdnb.diffusion.samplers.contract import Sampler
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.start import plan_levels

YARDSTICK = "ddim"
"""The sampler whose cost is 1."""


@dataclass(frozen=True, kw_only=True)
class SamplerFacts:
    """What is known of a sampler.

    Parameters
    ----------
    order, nominal_order : int or None
        Of convergence: as measured in the tests, and as its paper states; None where it follows
        no ordinary differential equation.
    evaluations : float or None
        How often a step asks the model, counted; None where the sampler chooses its steps.
    paper : str or None
        The first one its docstring names.
    """

    name: str
    family: str
    order: int | None
    nominal_order: int | None
    evaluations: float | None
    stochastic: bool
    history: int
    asks_both: bool
    paper: str | None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a sampler's run took, and how that compares with DDIM's.

    Parameters
    ----------
    seconds : float
        The median of the repeated runs, text and decoding not included.
    evaluations_ratio, time_ratio : float
        DDIM's at the same steps are 1; the time's is the median of the rounds' ratios.
    """

    sampler: str
    steps: int
    evaluations: int
    seconds: float
    evaluations_ratio: float
    time_ratio: float


def describe_samplers(samplers: Sequence[str] | None = None) -> tuple[SamplerFacts, ...]:
    """Return what is known of the named samplers; of all registered ones if not given."""
    return tuple(_facts(SAMPLERS[name]) for name in known_names(samplers))


def _facts(entry: Sampler) -> SamplerFacts:
    return SamplerFacts(
        name=entry.name,
        family=entry.family,
        order=entry.order,
        nominal_order=entry.nominal_order,
        evaluations=None if entry.adaptive else evaluations_a_step(entry.name),
        stochastic=entry.stochastic,
        history=entry.history,
        asks_both=entry.asks_both,
        paper=entry.paper,
    )


def evaluations_a_step(sampler: str) -> float:
    """Count what a step more costs: a first or last step that differs does not matter."""
    few, many = 16, 32
    return (_asked(sampler, many) - _asked(sampler, few)) / (many - few)


def _asked(sampler: str, steps: int) -> int:
    data, levels = three_blobs(), sigmas("karras", steps).tolist()
    denoiser = Counted(lambda x, sigma: (data(x, sigma),) * 2)
    sample(denoiser, data.start(1, levels[0]), levels, sampler)
    return denoiser.asked


def measure_costs(
    pipe: Pipeline,
    request: GenerationRequest | str = "",
    samplers: Sequence[str] | None = None,
    *,
    repeats: int = 3,
) -> tuple[Cost, ...]:
    """Run each sampler on the checkpoint, in rounds, and compare its time with DDIM's.

    Parameters
    ----------
    request : GenerationRequest or str
        Prompt, size, guidance, schedule and steps; its sampler and hooks are not used.
    repeats : int
        Rounds, at least 1, after one run to warm up. Each round runs DDIM, then the others.
    """
    if repeats < 1:
        raise InvalidField(
            "costs are measured at least once.", given=repeats, allowed="1, 2, …", fix="repeats=3"
        )
    if isinstance(request, str):
        request = GenerationRequest(prompt=request)
    timed = _Timed(pipe, request)
    names = known_names(samplers)
    timed(YARDSTICK)  # warm up
    rounds = [{name: timed(name) for name in (YARDSTICK, *names)} for _ in range(repeats)]
    unit = rounds[0][YARDSTICK]
    return tuple(
        Cost(
            sampler=name,
            steps=request.steps_made[0],
            evaluations=rounds[0][name].evaluations,
            seconds=median(each[name].seconds for each in rounds),
            evaluations_ratio=rounds[0][name].evaluations / unit.evaluations,
            time_ratio=median(each[name].seconds / each[YARDSTICK].seconds for each in rounds),
        )
        for name in names
    )


@dataclass(frozen=True)
class _Took:
    evaluations: int
    seconds: float


class _Timed:
    """Run a sampler by name on one problem; give its evaluations and seconds."""

    def __init__(self, pipe: Pipeline, request: GenerationRequest) -> None:
        self._pipe, self._request = pipe, request
        self._ask = as_denoiser(pipe, request)

    def __call__(self, name: str) -> _Took:
        parts = self._pipe.components
        levels = plan_levels(parts, self._request.changed(sampler=name))
        x = starting_latents(self._pipe, self._request, levels[0])
        denoiser = Counted(self._ask)
        began = perf_counter()
        end = sample(denoiser, x, levels, name, noise_schedule=parts.noise_schedule)
        end.cpu()  # a device may still be computing
        return _Took(denoiser.asked, perf_counter() - began)


def known_names(samplers: Sequence[str] | None) -> tuple[str, ...]:
    """Return samplers' own names, each once, where an alias may stand; all if none are given."""
    if samplers is None:
        return SAMPLERS.names()
    return tuple(dict.fromkeys(SAMPLERS[name].name for name in samplers))
