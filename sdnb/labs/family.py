"""Which results a held run comes from: to go back to any of its steps, whoever made it."""

from sdnb.result import Result


class Family:
    """A result and those it branched from, as far as they are needed."""

    def __init__(self) -> None:
        self._members: dict[str, Result] = {}
        self.latest: Result | None = None

    def add(self, result: Result) -> None:
        """Take a result, and forget all that it does not come from."""
        self._members[result.id] = self.latest = result
        kept: dict[str, Result] = {}
        line: Result | None = result
        while line is not None:
            kept[line.id] = line
            line = self._parent(line)
        self._members = kept

    def source(self, step: int) -> Result | None:
        """Return the result that has the state after ``step`` steps as its own; None without."""
        line = self.latest
        while line is not None and line.parent is not None and line.parent[1] > step:
            line = self._parent(line)
        return line

    @property
    def first(self) -> int:
        """The earliest step that can be gone back to: those before it were made by one gone."""
        line = self.latest
        while line is not None and line.parent is not None:
            parent = self._parent(line)
            if parent is None:
                return line.parent[1]
            line = parent
        return 0

    def _parent(self, result: Result) -> Result | None:
        return None if result.parent is None else self._members.get(result.parent[0])
