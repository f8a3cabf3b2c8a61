"""What all panels share: a place in the output, words, errors, and what stays without a kernel.

A panel's output has two parts. One is a place, in which the page puts the surface while there is
a kernel. The other is the picture with its text, as HTML: it steps aside for the surface, and is
what a saved, reopened or hosted notebook shows.
"""

from base64 import b64encode
from collections.abc import Callable
from html import escape
from json import dumps
from pathlib import Path
from uuid import uuid4

from sdnb.errors import InvalidField, SdnbError
from sdnb.files import save_new
from sdnb.i18n import language, on_change, tr
from sdnb.labs.worker import described
from sdnb.panels.surface import SCRIPT, STYLE, Surface

LONGEST = 160
"""So many characters of what is allowed have room beside a field, at most."""

Message = dict[str, object]


class Panel:
    """The view of a lab.

    Subclasses say what there is (`say`, `kept`), and what a message does (`does`).

    Attributes
    ----------
    surface : Surface
        The widget itself: ``display(panel.surface)`` shows it anywhere, but leaves nothing.
    is_shown, is_closed : bool
        Whether it has a place on a page, and whether it was taken off.
    """

    name = ""

    def __init__(self) -> None:
        self.surface = Surface(place=f"sdnb-panel-{uuid4().hex[:12]}")
        self.does: dict[str, Callable[[Message, list[memoryview]], None]] = {}
        self.is_shown = self.is_closed = False
        self._leave: Callable[[], None] | None = None
        self._opens: Callable[[str, object], Panel] | None = None
        self._ends: Callable[[], None] | None = None
        self.surface.hear(self._hear)
        on_change(self.say)

    def say(self) -> None:
        """Say all words, in the language that is set."""
        raise NotImplementedError

    def kept(self) -> str:
        """Return HTML of what was there, for a reader without a kernel."""
        raise NotImplementedError

    def kept_text(self) -> str:
        """Return HTML of its words alone."""
        raise NotImplementedError

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to, where it has no field of its own."""
        raise NotImplementedError

    def on_leave(self, leave: Callable[[], None]) -> None:
        """Call this whenever `kept_html` is worth being kept anew."""
        self._leave = leave

    def take(self, what: object) -> None:
        """Show a result, or what else another panel hands over; raises `InvalidField`."""
        raise InvalidField(
            f"the panel {self.name} shows no single result.",
            given=type(what).__name__,
            allowed="studio, latents, attention, forward, schedules, text and compare do",
            fix='sdnb.panel("studio", result=result)',
        )

    def on_open(self, opens: "Callable[[str, object], Panel]") -> None:
        """Call this for another panel, by its name and with what it should show."""
        self._opens = opens

    def open(self, name: str, what: object) -> None:
        """Show something in another panel, below this one unless it is on the page already."""
        if self._opens is None:
            raise InvalidField(
                "this panel cannot open another one.",
                given=name,
                allowed="panels that %sd panel or sdnb.panel made",
                fix=f"sdnb.panel({self.name!r})",
            )
        guest = self._opens(name, what)
        place = guest.surface.place
        if not guest.is_shown:
            guest.is_shown = True
            self.surface.show(guests=[*self.surface.guests, place])
        self.surface.send({"do": "look at", "place": place})

    def on_close(self, ends: Callable[[], None]) -> None:
        """Call this when the panel is closed: it ends what is computed for it."""
        self._ends = ends

    def close(self) -> None:
        """Take the surface off the page and end what is computed; what is kept stays."""
        self.is_closed = True
        self._leave = None
        self.does = {}
        self.surface.close()
        if self._ends is not None:
            self._ends()

    def leave(self) -> None:
        """Have what is there kept in the notebook."""
        if self._leave is not None:
            self._leave()

    @property
    def place_html(self) -> str:
        """Where the surface appears."""
        return f'<div class="{self.surface.place}"></div>'

    @property
    def kept_html(self) -> str:
        """What a reader without a kernel sees."""
        return f'<div class="{self.surface.place}-kept">{self.kept()}</div>'

    def to_html(self, path: str | Path) -> Path:
        """Save a page that needs no kernel and no network; the film strip works on it.

        Returns the file written: ``page-2.html`` where there was a ``page.html``.
        """
        surface = self.surface
        state = {
            name: getattr(surface, name)
            for name in ("place", "stage", "texts", "actions", "keeps", "about", "film", "views")
        }
        status = {**surface.status, "alert": "", "said": "", "changes": "", "enabled": []}
        pictures = {
            name: b64encode(getattr(surface, name)).decode()
            for name in ("picture", "strip", "data")
        }
        texts = {**surface.texts, "strip_help": surface.texts.get("strip_page", "")}
        data = dumps({**state, "status": status, "texts": texts, **pictures}, ensure_ascii=False)
        written = _PAGE.format(
            language=language(),
            title=escape(str(surface.texts.get("title", ""))),
            style=STYLE,
            script=SCRIPT.replace("export default", "const _ ="),
            data=data.replace("<", "\\u003c"),
            text=self.kept_text(),
            kept=self.kept(),
        )
        return save_new(path, written.encode())

    def _hear(self, message: Message, buffers: list[memoryview]) -> None:
        """Do what the page says; what goes wrong is shown there."""
        if message.get("do") == "cleared":
            self.close()
            return
        does = self.does.get(str(message.get("do")))
        if does is None:
            return
        try:
            does(message, buffers)
        except Exception as error:  # a page has nobody else to tell; it may say what ours do not
            self.failed(described(error))


def error_text(error: SdnbError) -> str:
    """Return an error for its place beside a field: one or two sentences.

    A long list of what is allowed is left out where the nearest is named.
    """
    parts = [error.what]
    if error.allowed and (len(error.allowed) <= LONGEST or not error.fix):
        parts.append(tr("panel.allowed", allowed=error.allowed))
    if error.fix:
        parts.append(tr("panel.fix", fix=error.fix))
    return " ".join(parts)


_PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 24px auto; max-width: 720px; padding: 0 16px; }}
{style}
</style>
<section class="sdnb-surface"><div id="stage"></div>{text}<noscript>{kept}</noscript></section>
<script type="module">
{script}
page(document.getElementById("stage"), {data});
</script>
</html>
"""
