"""From an order to a result, watched: load if need be, run, show, stop at an interrupt.

This module is imported when something is first drawn: it loads torch.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from time import monotonic
from uuid import uuid4

from IPython.display import display

from sdnb.events import StartEvent, StepEvent
from sdnb.magics import live_view
from sdnb.magics.live import Live
from sdnb.magics.notebook_hooks import join_hooks, split_hooks
from sdnb.magics.parse import Order
from sdnb.magics.session import Run, Session
from sdnb.result import Result


def draw(order: Order, session: Session, names: Mapping[str, object]) -> Result:
    """Run what a cell asks for and show it forming; an interrupt ends it early.

    Parameters
    ----------
    names : Mapping of str to object
        The notebook's variables, where hooks are looked up.
    """
    request, functions = split_hooks(order.request, names)
    with replaced_output() as show:
        if missing := session.missing(request.checkpoint):
            show(live_view.message(f"loading {missing} …"))
        pipeline = session.pipeline(request.checkpoint)
        request = request.changed(checkpoint=None)  # it is this one, however it was written
        result = watch(pipeline.start(request, hooks=join_hooks(functions)), session, show)
    return session.remember(result, order.after)


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
