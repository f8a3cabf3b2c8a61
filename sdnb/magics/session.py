"""What lasts from cell to cell, and nowhere else: pipeline, defaults, next seed, last result."""

import dataclasses
import gc
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sdnb.errors import InvalidField
from sdnb.magics.parse import Order
from sdnb.magics.settings import read_settings
from sdnb.records.budget import kept_budget
from sdnb.request import GenerationRequest
from sdnb.seeds import seed_after

if TYPE_CHECKING:
    import PIL.Image

    import sdnb.comparison.compare
    import sdnb.events
    import sdnb.panels.panel
    import sdnb.result


FIRST_CHECKPOINT = "tiny"
"""What is loaded when a cell draws before anything was loaded."""


@runtime_checkable  # the test suite checks types as it runs
class Run(Protocol):
    """The part of `sdnb.run.Run` that a notebook watches."""

    def __iter__(self) -> "Iterator[sdnb.events.Event]":
        """Run on, event by event."""

    def preview(self) -> "Sequence[PIL.Image.Image]":
        """Decode what the run would give if it ended now."""

    def cancel(self) -> None:
        """Ask the run to end."""

    def finish(self) -> "sdnb.result.Result":
        """Run to the end, or as far as it went."""


@runtime_checkable
class Pipeline(Protocol):
    """The part of `sdnb.pipeline.Pipeline` that a notebook uses."""

    def start(self, request: GenerationRequest, /, *, hooks: "sdnb.events.Hooks") -> Run:
        """Begin a run."""

    def info(self) -> Mapping[str, str]:
        """Describe what is loaded."""


def load_pipeline(reference: str, *, compile: bool = False, **options: Any) -> Pipeline:
    """Load a checkpoint, as `sdnb.load`; the first call imports torch."""
    from sdnb.pipeline import load

    pipeline = load(reference, **options)
    return pipeline.compiled() if compile else pipeline


class Session:
    """The state of one notebook.

    Parameters
    ----------
    load : callable
        Checkpoint reference, and options of `sdnb.load` -> pipeline.

    Attributes
    ----------
    checkpoint : str
        What a cell is drawn with that names none.
    next_seed : int or None
        What the next run takes unless it names a seed; None: the default, or drawn.
    result : Result or None
        The last one.
    comparison : Comparison or None
        The last one; an interrupt may have left it unfinished.
    latest : Result, Comparison or None
        Whichever of them came last.
    panels : dict of str to Panel
        The newest of each name.
    decode_rate : float or None
        Seconds that decoding a preview takes per latent value, as last measured.
    """

    def __init__(self, load: Callable[..., Pipeline] = load_pipeline) -> None:
        self._load = load
        self.checkpoint = FIRST_CHECKPOINT
        self._loaded: str | None = None
        self._pipeline: Pipeline | None = None
        self._options: dict[str, dict[str, object]] = {}  # how each checkpoint was last loaded
        self._defaults: Order | None = None
        self.next_seed: int | None = None
        self.result: sdnb.result.Result | None = None
        self.comparison: sdnb.comparison.compare.Comparison | None = None
        self.latest: sdnb.result.Result | sdnb.comparison.compare.Comparison | None = None
        self._drawn: weakref.WeakValueDictionary[str, sdnb.result.Result] = (
            weakref.WeakValueDictionary()
        )
        self.panels: dict[str, sdnb.panels.panel.Panel] = {}
        self.decode_rate: float | None = None
        self._history_budget: float | None = None

    @property
    def history_budget(self) -> float:
        """MB that the history may take; 0 where what is drawn is not kept."""
        if self._history_budget is None:
            self._history_budget = kept_budget()
        return self._history_budget

    @history_budget.setter
    def history_budget(self, budget: float) -> None:
        self._history_budget = budget

    @property
    def defaults(self) -> Order:
        """What holds where a cell says nothing; the user's settings until changed."""
        if self._defaults is None:
            self._defaults = read_settings()
        return self._defaults

    @defaults.setter
    def defaults(self, order: Order) -> None:
        self._defaults = order

    @property
    def starting_point(self) -> Order:
        """The defaults, with the seed that is next."""
        if self.next_seed is None:
            return self.defaults
        request = self.defaults.request.changed(seed=self.next_seed)
        return dataclasses.replace(self.defaults, request=request)

    @property
    def loaded(self) -> str | None:
        """The checkpoint of the pipeline that is held; None before the first."""
        return self._loaded

    def missing(self, reference: str | None) -> str | None:
        """Return what `pipeline` would have to load; None if it would return at once."""
        name = reference or self.checkpoint
        return None if self._pipeline is not None and name == self._loaded else name

    def pipeline(self, reference: str | None = None) -> Pipeline:
        """Return the pipeline of a checkpoint, or of the session's; loads it if need be.

        One is held at a time. One that cannot be loaded leaves the one before in its place.
        """
        name = reference or self.checkpoint
        if self._pipeline is None or name != self._loaded:
            return self.load(name, **self._options.get(name, {}))
        return self._pipeline

    def load(self, reference: str, **options: object) -> Pipeline:
        """Load a checkpoint with options of `sdnb.load`; it takes the place of the one before."""
        self._pipeline = self._load(reference, **options)
        self._loaded, self._options[reference] = reference, options
        self.decode_rate = None
        return self._pipeline

    def unload(self) -> bool:
        """Let go of the pipeline; return whether nothing else holds it, so that it is freed."""
        if self._pipeline is None:
            return True
        held = weakref.ref(self._pipeline)
        self._pipeline = self._loaded = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        return held() is None

    def last_result(self) -> "sdnb.result.Result":
        """Return the last result, or raise `InvalidField` if nothing was drawn."""
        if self.result is None:
            raise InvalidField("nothing has been drawn yet.", fix="draw first: %sd a red circle")
        return self.result

    def remember(self, result: "sdnb.result.Result", after: str) -> "sdnb.result.Result":
        """Keep a result and its next seed; return it with the seed told in its notices."""
        request = result.request
        if request.seed is not None:
            self.next_seed = seed_after(request.seed, batch_size=request.batch_size, after=after)
        if self.next_seed is not None:
            notice = f"next seed: {self.next_seed} (--after {after})"
            result = dataclasses.replace(result, notices=(*result.notices, notice))
        self.result = self.latest = result
        self._drawn[result.id] = result
        return result

    def keep(self, result: "sdnb.result.Result") -> None:
        """Take what a panel drew as the last result; the next seed stays the cells' own."""
        self.result = self.latest = result
        self._drawn[result.id] = result

    def keep_comparison(self, comparison: "sdnb.comparison.compare.Comparison") -> None:
        """Take what a panel compares as the last comparison: for scores, flip and save."""
        self.comparison = self.latest = comparison

    @property
    def results(self) -> "tuple[sdnb.result.Result, ...]":
        """What was drawn and is still held somewhere, in order; the session itself holds one."""
        return tuple(self._drawn.values())
