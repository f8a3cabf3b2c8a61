"""The history, page by page: searched, looked at, pinned, deleted; nothing is drawn here.

lab = HistoryLab()
lab.text = "red circle"
lab.entries[0]
"""

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, observe

from sdnb.errors import InvalidField, SdnbError
from sdnb.records.entries import Entries, Entry
from sdnb.records.history import History
from sdnb.records.history import history as users_history

PAGE = 24
"""Entries that are read at once, at most."""


class HistoryLab(HasTraits):
    """Some entries of a history at a time.

    Parameters
    ----------
    history : History
        The user's if not given.

    Attributes
    ----------
    text : str
        Words that all stand in the prompt, the negative prompt or the checkpoint's name.
    sampler : str
        Only those of this sampler; empty for all.
    entries : Entries
        What is found, a page of it, the newest first.
    has_newer, has_older : bool
        Whether there are pages before and after this one.
    chosen : Entry or None
        The one that is looked at.
    failure : SdnbError or None
        Why the last action failed.
    """

    text = AnyTrait("")
    sampler = AnyTrait("")
    entries = AnyTrait(Entries(()))
    has_newer = Bool(False)
    has_older = Bool(False)
    chosen = AnyTrait(None)
    failure = AnyTrait(None)

    def __init__(self, history: History = users_history) -> None:
        super().__init__()
        self._history = history
        self._pages: list[int] = []  # the number below which each page but the first begins
        self.search()

    def search(self) -> None:
        """Find anew what is asked for, from the newest on."""
        self._pages = []
        self._read()

    def older(self) -> None:
        """Turn to the page after this one, if there is one."""
        if self.has_older:
            self._pages.append(self.entries[-1].number)
            self._read()

    def newer(self) -> None:
        """Turn to the page before this one, if there is one."""
        if self._pages:
            self._pages.pop()
            self._read()

    def choose(self, number: int) -> None:
        """Look at an entry, by its number; raises `InvalidField` where there is none."""
        self.failure = None
        self.chosen = self._history.open(number)

    def entry(self) -> Entry:
        """Return the chosen entry; raises `InvalidField` where there is none."""
        if self.chosen is None:
            raise InvalidField("no entry is chosen.", fix="choose one first")
        chosen: Entry = self.chosen
        return chosen

    def pin(self) -> None:
        """Keep the chosen entry whatever the size of the history, or no longer."""
        entry = self.entry()
        self._history.pin(entry.number, not entry.is_pinned)
        self.choose(entry.number)
        self._read()

    def delete(self) -> None:
        """Forget the chosen entry and delete its pictures, pinned or not."""
        entry = self.entry()
        try:
            self._history.delete(entry.number)
        finally:  # it may be forgotten, and a file of it be there still
            self.chosen = None
            self._read()

    def stop(self) -> None:
        """Nothing is computed, so nothing is to be ended: as other labs."""

    @observe("text", "sampler")
    def _asked(self, _change: object) -> None:
        self.search()

    def _read(self) -> None:
        """Read a page, and one more to know whether there is another."""
        try:
            found = self._history.search(
                str(self.text),
                sampler=str(self.sampler),
                limit=PAGE + 1,
                before=self._pages[-1] if self._pages else None,
            )
        except SdnbError as error:
            self.failure = error
            return
        if not found and self._pages:  # the last entry of this page is gone
            self.newer()
            return
        with self.hold_trait_notifications():
            self.failure = None
            self.entries = Entries(tuple(found[:PAGE]))
            self.has_newer, self.has_older = bool(self._pages), len(found) > PAGE
