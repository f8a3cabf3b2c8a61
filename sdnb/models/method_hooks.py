"""A method of one object listened to, whatever its class and its copies do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

# Methods of any library: their arguments and results are Any here.
Method = Any


@contextmanager
def heard(owner: object, name: str, around: Callable[..., Any]) -> Iterator[None]:
    """Send the calls of ``owner.name`` through ``around(owner, method, ...)`` inside a block.

    The class is left alone, so that its other objects are. Blocks may be nested.
    """
    own = vars(owner)
    before = {name: own[name]} if name in own else {}
    own[name] = _Heard(owner, getattr(owner, name), around)
    try:
        yield
    finally:
        own.pop(name, None)
        own.update(before)


@dataclass(frozen=True, eq=False)
class _Heard:
    """A method in whose place ``around`` is called.

    Without these lines dataclasses would ask for the signature of the class, which Python 3.11.2
    does not find behind ``__wrapped__``.
    """

    owner: object
    method: Method
    around: Callable[..., Any]

    @property
    def __wrapped__(self) -> Method:
        """What `inspect.signature` reads: pipelines ask which options a method takes."""
        return self.method

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.around(self.owner, self.method, *args, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """Give a copied owner its own method back; a copy of its attributes alone keeps this."""
        return deepcopy(self.method, memo) if id(self.owner) in memo else self
