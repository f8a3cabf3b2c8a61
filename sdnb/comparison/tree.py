"""The family of some results: which branched from which, at what step, with what change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any

from sdnb.errors import InvalidField
from sdnb.request import GenerationRequest
from sdnb.result import Result, picture_row


@dataclass(frozen=True, eq=False)
class Tree:
    """Results under the results they branched from; it draws itself.

    Those whose parent is not among them stand at the top.
    """

    results: tuple[Result, ...]

    def children(self, parent: Result | None) -> tuple[Result, ...]:
        """Return the branches of a result, or with None what stands at the top."""
        known = {result.id for result in self.results}
        if parent is None:
            return tuple(r for r in self.results if r.parent is None or r.parent[0] not in known)
        return tuple(r for r in self.results if r.parent and r.parent[0] == parent.id)

    def __repr__(self) -> str:
        return "\n".join(self._lines(None, ""))

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._items(None)}

    def _lines(self, parent: Result | None, indent: str) -> Iterator[str]:
        for result in self.children(parent):
            yield f"{indent}{self._caption(result, parent)}"
            yield from self._lines(result, indent + "   ")

    def _items(self, parent: Result | None) -> str:
        items = [
            f'<li style="margin:4px 0">{_thumbnails(result, caption)}{escape(caption)}'
            f"{self._items(result)}</li>"
            for result in self.children(parent)
            for caption in [self._caption(result, parent)]
        ]
        return f'<ul style="list-style:none">{"".join(items)}</ul>' if items else ""

    def _caption(self, result: Result, parent: Result | None) -> str:
        asked = result.request
        if result.parent is None:
            parts = [f"{asked.prompt!r}", f"seed {asked.seed}", *_hooks(asked)]
            return f"{result.id}: {', '.join(parts)}"
        changes = "parent not given" if parent is None else changed(parent.request, asked)
        return f"{result.id}: from step {result.parent[1]}, {changes}"


def tree(results: Sequence[object]) -> Tree:
    """Show which results branched from which (see `Pipeline.branch`).

    Raises `InvalidField` for anything but results.
    """
    known: dict[str, Result] = {}
    for result in results:
        if not isinstance(result, Result):
            raise InvalidField(
                "a tree is made of results.",
                given=type(result).__name__,
                allowed="what pipe.run and run.finish give",
                fix="sdnb.tree([result, branch])",
            )
        known[result.id] = result
    return Tree(tuple(known.values()))


def changed(before: GenerationRequest, after: GenerationRequest) -> str:
    """Say what differs between two requests: ``cfg_scale 4.0 → 2.0``."""
    names = [entry.name for entry in fields(before)]
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in names]
    differing = [f"{name} {old} → {new}" for name, old, new in pairs if old != new]
    return ", ".join(differing) or "unchanged"


def _hooks(request: GenerationRequest) -> list[str]:
    return [f"{use.point}:{use.hook}" for use in request.hooks]


def _thumbnails(result: Result, caption: str) -> str:
    small = [image.resize((64, 64 * image.height // image.width)) for image in result.images]
    return picture_row(small, [caption] * len(small), width=64)
