"""What was asked for last is kept, so that it is made once."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Kept = TypeVar("Kept")


class Recent(Generic[Key, Kept]):
    """The things that were asked for last, ``limit`` of them, or more where `hold` says so."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[Key, Kept] = {}

    def hold(self, count: int) -> None:
        """Keep no fewer than ``count`` from now on: as many as are wanted at a time."""
        self._limit = max(self._limit, count)

    def of(self, key: Key, make: Callable[[], Kept]) -> Kept:
        """Return what is kept under a key, or else make room for it, and it."""
        if key in self._kept:
            found = self._kept.pop(key)
        else:
            while len(self._kept) >= self._limit:
                del self._kept[next(iter(self._kept))]
            found = make()
        self._kept[key] = found
        return found
