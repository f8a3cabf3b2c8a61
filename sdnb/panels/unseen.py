"""How many pictures are on their way to a page: a slow one is sent no more."""

ROOM = 2
"""So many pictures may be on their way, at most."""


class Unseen:
    """Counts what was sent, and what the page says that it drew."""

    def __init__(self) -> None:
        self._count = 0

    @property
    def has_room(self) -> bool:
        """Whether the page keeps up."""
        return self._count < ROOM

    def sent(self) -> None:
        """One more is on its way."""
        self._count += 1

    def drawn(self) -> None:
        """One has arrived."""
        self._count = max(0, self._count - 1)

    def forget(self) -> None:
        """A page was opened anew: it draws what it finds."""
        self._count = 0
