"""``%sd panel`` and ``sdnb.panel``: open a panel under the cell, and keep its picture there."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.magics.command import Call, misused
from sdnb.magics.session import Session

if TYPE_CHECKING:
    import sdnb.panels.panel
    import sdnb.pipeline
    import sdnb.result

PANELS = {
    "studio": ("Studio", "StudioPanel"),
    "schedules": ("Schedules", "SchedulesPanel"),
    "latents": ("Latents", "LatentsPanel"),
    "attention": ("Attention", "AttentionPanel"),
    "forward": ("Forward", "ForwardPanel"),
    "compare": ("CompareLab", "ComparePanel"),
    "text": ("TextLab", "TextPanel"),
    "training": ("Training", "TrainingPanel"),
    "history": ("HistoryLab", "HistoryPanel"),
}
"""Name of the panel, and of the modules of its lab and its view -> their classes."""

WITHOUT_PIPELINE = ("history",)
"""Panels that draw nothing: no checkpoint is loaded for them."""

READY = 0.2
"""Seconds that a panel waits, at most, for what it opens with; the rest comes when it is there."""


def open_panel(call: Call) -> None:
    """Show a panel, by default the studio."""
    texts = [word.text for word in call.words]
    if len(texts) > 1 or any(word.is_flag for word in call.words):
        raise misused("panel", call, ", ".join(PANELS), "%sd panel studio")
    show(make(*texts, session=call.session))


def panel(
    name: str = "studio", *, result: "sdnb.result.Result | None" = None
) -> "sdnb.panels.panel.Panel":
    """Open a panel under the cell; its lab is ``panel.lab``. Raises `UnknownName`.

    It opens the given result, else the one that was drawn last.

    Outside a notebook, drive the lab itself: ``sdnb.labs.studio.Studio(pipe)``.
    """
    shell = InteractiveShell.instance() if InteractiveShell.initialized() else None
    if shell is None:
        raise InvalidField(
            "a panel needs a notebook to be shown in.",
            given="no IPython shell",
            allowed="a cell of a notebook",
            fix="from sdnb.labs.studio import Studio; Studio(pipe) does all a panel does",
        )
    magics = shell.magics_manager.registry.get("SdMagics")
    session = Session() if magics is None else magics.session
    made = make(name, session=session, result=result)
    show(made)
    return made


def make(
    name: str = "studio", *, session: Session, result: "sdnb.result.Result | None" = None
) -> "sdnb.panels.panel.Panel":
    """Return a panel on the session's pipeline, with a result, what was drawn last, or neither."""
    UnknownName.check("panel", name, PANELS)
    lab_class, view_class = PANELS[name]
    make_lab = getattr(import_module(f"sdnb.labs.{name}"), lab_class)
    if name == "studio":
        make_lab = partial(make_lab, load=session.pipeline)
    lab = make_lab() if name in WITHOUT_PIPELINE else _on_pipeline(make_lab, session, result)
    made = getattr(import_module(f"sdnb.panels.{name}"), view_class)(
        lab, lambda: session.defaults.request
    )
    made.on_close(lab.stop)
    made.on_open(partial(_opened, session))
    session.panels[name] = made
    if result is not None and not lab.has_trait("result"):
        made.take(result)
    return cast("sdnb.panels.panel.Panel", made)


# A lab of any panel: what each of them has is asked for by name.
def _on_pipeline(
    make_lab: Callable[..., Any], session: Session, result: "sdnb.result.Result | None"
) -> Any:
    """Return a lab on the session's pipeline; what it draws is the session's last."""
    from sdnb.magics.drawing import load, replaced_output
    from sdnb.magics.remembering import keep_cells, keep_result

    request = session.defaults.request
    checkpoint = request.checkpoint if result is None else result.request.checkpoint
    with replaced_output() as say:
        pipe = cast("sdnb.pipeline.Pipeline", load(session, checkpoint, say))
    last = session.result
    if last is not None:  # a panel goes on with what a cell began
        asked = last.request
        request = request.changed(prompt=asked.prompt, negative_prompt=asked.negative_prompt)
    lab = make_lab(pipe, request.changed(checkpoint=None))
    if lab.has_trait("result"):
        if result is not None:
            lab.open(result)
        elif last is not None and _can_be_held(last, pipe):
            lab.open(last)
    with suppress(SdnbError):  # the panel itself says what failed
        lab.wait(READY)
    if lab.has_trait("result"):
        lab.observe(lambda change: session.keep(keep_result(change["new"], session)), "result")
    if lab.has_trait("comparison"):
        lab.observe(lambda change: keep_cells(change["new"], session), "comparison")
        lab.observe(lambda change: session.keep_comparison(change["new"]), "comparison")
    return lab


def _opened(session: Session, name: str, what: object) -> "sdnb.panels.panel.Panel":
    """Hand something to the newest panel of a name that is open, or to a new one."""
    panel = session.panels.get(name)
    if panel is None or panel.is_closed:
        panel = make(name, session=session)
    panel.take(what)
    return panel


def _can_be_held(result: "sdnb.result.Result", pipe: "sdnb.pipeline.Pipeline") -> bool:
    is_its_own = result.request.checkpoint == pipe.components.reference
    return is_its_own and bool(result.images) and len(result.trace.x) > 0


def show(made: "sdnb.panels.panel.Panel") -> None:
    """Show a panel in two outputs: where it lives, and what stays of it in the saved notebook."""
    made.is_shown = True
    words = f"<sdnb panel: {made.name}>"
    place = {"text/html": made.place_html, "text/plain": words}
    display(place, raw=True)  # type: ignore[no-untyped-call]  # IPython's
    kept = f"sdnb-{uuid4().hex}"

    def leave(update: bool = True) -> None:
        bundle = {"text/html": made.kept_html, "text/plain": words}
        display(bundle, raw=True, display_id=kept, update=update)  # type: ignore[no-untyped-call]  # IPython's

    leave(update=False)
    made.on_leave(leave)
