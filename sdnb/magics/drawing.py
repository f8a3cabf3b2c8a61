"""From an order to what it gives, watched: load if need be, run, show, stop at an interrupt.

This module is imported when something is first drawn: it loads torch.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import prod
from time import monotonic
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from IPython.display import display

from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Engine, Lockstep
from sdnb.comparison.plan import cross, pair
from sdnb.events import Hooks, StartEvent, StepEvent
from sdnb.hook_use import HookUse
from sdnb.i18n import tr
from sdnb.magics import live_view
from sdnb.magics.live import Live
from sdnb.magics.notebook_hooks import join_hooks, split_hooks
from sdnb.magics.parse import Order
from sdnb.magics.remembering import keep_cells, keep_result
from sdnb.magics.session import Pipeline, Run, Session
from sdnb.request import GenerationRequest
from sdnb.result import Result

if TYPE_CHECKING:
    import sdnb.pipeline

Names = Mapping[str, object]


def draw(order: Order, session: Session, names: Names) -> Result:
    """Run what a cell asks for and show it forming; an interrupt ends it early.

    Parameters
    ----------
    names : Mapping of str to object
        The notebook's variables, where hooks are looked up.
    """
    request, functions = split_hooks(order.request, names)
    with replaced_output() as show:
        pipeline = load(session, request.checkpoint, show)
        request = request.changed(checkpoint=None)  # it is this one, however it was written
        result = watch(pipeline.start(request, hooks=join_hooks(functions)), session, show)
        result = session.remember(result, order.after)  # an interrupt may come from here on
    result = keep_result(result, session)
    session.keep(result)
    return result


def load(session: Session, checkpoint: str | None, show: Callable[[str], None]) -> Pipeline:
    """Return a checkpoint's pipeline; that it has to be loaded is shown."""
    if missing := session.missing(checkpoint):
        show(live_view.message(tr("live.loading", checkpoint=missing)))
    return session.pipeline(checkpoint)


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Say what takes a while until it is done."""
    with replaced_output() as show:
        show(live_view.message(doing))
        yield


def watch(run: Run, session: Session, show: Callable[[str], None]) -> Result:
    """Exhaust a run, showing its progress; the kernel's interrupt ends it where it is."""
    try:
        for event in run:
            if isinstance(event, StartEvent):
                size, rate = prod(event.x.shape), session.decode_rate
                live = Live(show, monotonic, size=size, decode_rate=rate)
            elif isinstance(event, StepEvent):
                live.step(
                    event.index + 1,
                    event.total,
                    f"sigma {event.sigma_next:.3g}",
                    lambda: live_view.pictures(run.preview()),
                )
                session.decode_rate = live.decode_rate
    except KeyboardInterrupt:
        run.cancel()
    return run.finish()


def compare(
    order: Order,
    session: Session,
    names: Names,
    *,
    engine: "Callable[[sdnb.pipeline.Pipeline], Engine]" = Lockstep,
    zipped: bool = False,
) -> Comparison:
    """Draw what an order compares, and show the grid filling; an interrupt leaves what there is.

    ``engine`` makes what computes the cells, of the pipeline that is loaded.
    """
    request, functions = split_hooks(order.request, names)
    axes = {field: _values(field, values, names) for field, values in order.axes}
    plan = (pair if zipped else cross)(
        request.changed(checkpoint=None), axes, join_hooks(functions)
    )
    with replaced_output() as show:
        pipe = load(session, request.checkpoint, show)
        session.comparison = session.latest = Comparison(
            plan, engine(cast("sdnb.pipeline.Pipeline", pipe))
        )
        fill(session.comparison, session, show)
    return session.comparison


def fill(comparison: Comparison, session: Session, show: Callable[[str], None]) -> None:
    """Compute what is left of a comparison, showing it; an interrupt leaves what there is.

    Each cell is kept in the history as it ends, whatever ends the rest.
    """
    why_not = keep_cells(comparison, session)
    try:
        _compute(comparison, show)
    finally:
        if said := sorted({why_not, *comparison.not_kept.values()} - {""}):
            say("; ".join(said))


def _compute(comparison: Comparison, show: Callable[[str], None]) -> None:
    live = Live(show, monotonic, size=1, decode_rate=None)
    before, total = comparison.steps
    try:
        for _ in comparison.rounds():
            made = comparison.steps[0] - before
            if made:
                live.step(made, total - before, _about(comparison), partial(_drawn, comparison))
    except KeyboardInterrupt:
        return


def _drawn(comparison: Comparison) -> str:
    return comparison.draw(comparison.previews())


def _about(comparison: Comparison) -> str:
    ready = sum(result is not None for result in comparison.results)
    return tr("live.cells", ready=ready, total=len(comparison.results))


def _values(field: str, values: tuple[object, ...], names: Names) -> list[object]:
    """Return an axis' values; notebook functions become what a pipeline takes."""
    if field != "hooks":
        return list(values)
    return [_hooks(cast("tuple[HookUse, ...]", uses), names) for uses in values]


def _hooks(uses: tuple[HookUse, ...], names: Names) -> Hooks | tuple[HookUse, ...]:
    _, functions = split_hooks(GenerationRequest(hooks=uses), names)
    return join_hooks(functions) if functions else uses


def say(text: str) -> None:
    """Show a line that stays."""
    bundle = {"text/html": live_view.message(text), "text/plain": text}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]  # IPython's


@contextmanager
def replaced_output() -> Iterator[Callable[[str], None]]:
    """Give a function that shows HTML in one place of the cell, emptied at the end."""
    place = f"sdnb-{uuid4().hex}"
    is_open = False

    def publish(bundle: Mapping[str, str]) -> None:
        nonlocal is_open
        display(bundle, raw=True, display_id=place, update=is_open)  # type: ignore[no-untyped-call]  # IPython's
        is_open = True

    try:
        yield lambda html: publish({"text/html": html})
    finally:
        if is_open:
            publish({"text/plain": ""})
