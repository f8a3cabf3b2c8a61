"""Where a branch begins: a recorded run, its sampler brought to one of its steps.

The rules: a sampler that goes on is told again, from the step where it began, what it was told
the first time, answers and states as hooks had left them; a new one starts without memory at the
stored state. No network and no hook is asked for the past.
"""

from dataclasses import dataclass

from sdnb.errors import InvalidField
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.trace import Evaluation, Trace

FIXED = ("batch_size", "width", "height", "denoise", "strength", "start", "hires", "checkpoint")
"""Fields that a branch shares with its parent: they decide what the latents are."""


@dataclass(frozen=True, eq=False)
class Past:
    """The first ``step`` steps of a recorded run.

    Parameters
    ----------
    trace : Trace
        With its states, and the answers up to ``step`` where the sampler goes on.
    step : int
        Where the branch begins, 0 … N - 1; N where the run was ended on its way.
    goes_on : bool
        Whether the sampler and its memory stay; else a new one starts here.
    """

    trace: Trace
    step: int
    goes_on: bool

    @classmethod
    def of(
        cls, trace: Trace, step: int, before: GenerationRequest, after: GenerationRequest
    ) -> "Past":
        """Take the past that a changed request shares with a recorded one.

        Raises `InvalidField` where the trace has no such step or lacks what the sampler was
        told, and for changes that no branch can make.
        """
        _check_fields(before, after)
        goes_on = bool(trace.sigmas) and trace.sigmas[-1] > 0  # it was ended on its way
        last = trace.steps if goes_on else trace.steps - 1
        if not 0 <= step <= last or not len(trace.x):
            raise InvalidField(
                "a branch begins at a step whose state was kept.",
                given=step,
                allowed=f"0 … {last}" if len(trace.x) else "no step: nothing was kept",
                fix="run with keep='all'" if not len(trace.x) else "step=0 is the start",
            )
        past = cls(trace, step, goes_on=_keeps_its_sampler(before, after))
        if any(answer.denoised is None for i in past.told for answer in past.answers(i)):
            raise InvalidField(
                "what the sampler was told before this step was not kept.",
                given=step,
                allowed="an earlier step, or another sampler",
                fix="run with keep='all' and a larger budget=, or change the sampler",
            )
        return past

    @property
    def begin(self) -> int:
        """The step at which the sampler begins, or began."""
        return self.trace.begin if self.goes_on else self.step

    @property
    def told(self) -> range:
        """The steps whose answers the sampler is told again."""
        return range(self.begin, self.step)

    def answers(self, step: int) -> tuple[Evaluation, ...]:
        """Return the answers that a step took, in order."""
        first = sum(self.trace.asked[:step])
        return self.trace.evaluations[first : first + self.trace.asked[step]]

    def levels(self, planned: list[float], sampler: str) -> list[float]:
        """Join the levels of the past to those of a plan that lie below.

        A sampler that chooses its levels from the ends of a plan is given those it began with.
        """
        last = self.begin if SAMPLERS[sampler].own_levels else self.step
        taken = list(self.trace.sigmas[: last + 1])
        return [*taken, *(sigma for sigma in planned if sigma < taken[-1] * (1 - 1e-6))]


def check_is_its_own(step: int, parent: tuple[str, int] | None) -> None:
    """Raise `InvalidField` for a step that a run has from its ``parent``, ``(id, step)``.

    Before it another request was followed, which the result does not hold.
    """
    if parent is not None and 0 <= step < parent[1]:
        raise InvalidField(
            "this step is not the result's own: it was made by the run it branched from.",
            given=step,
            allowed=f"steps from {parent[1]} on",
            fix=f"branch the result it came from, {parent[0]}",
        )


def _keeps_its_sampler(before: GenerationRequest, after: GenerationRequest) -> bool:
    # one that chooses its levels from the ends of a plan cannot be given another plan midway
    planned = (before.schedule, before.steps) == (after.schedule, after.steps)
    return before.sampler == after.sampler and (
        planned or not SAMPLERS[after.sampler.name].own_levels
    )


def _check_fields(before: GenerationRequest, after: GenerationRequest) -> None:
    for name in FIXED:
        if getattr(before, name) != getattr(after, name):
            raise InvalidField(
                f"a branch has the {name} of the run it comes from.",
                given=getattr(after, name),
                allowed=str(getattr(before, name)),
                fix="start a new run",
            )
