"""The history: every result with its request, pictures and place among others, found again.

`sdnb.history` is the user's; a notebook fills it, and so does a pipeline loaded with
``history=True``. A picture is a file that carries its request, beside one database; a row is
written when its pictures are, so that what is listed is there.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Row
from typing import TYPE_CHECKING

from sdnb.errors import HistoryError, InvalidField, SdnbError
from sdnb.files import data_folder, save_new
from sdnb.records.budget import BUDGET, is_within, kept_budget, let_go
from sdnb.records.database import PATIENCE, reading, writing
from sdnb.records.entries import Entries, Entry, read_entry
from sdnb.records.kept_pictures import delete_files, small_picture, sweep, write_picture

if TYPE_CHECKING:
    from sdnb.result import Result

_NOT_KEPT = "not kept in the history"
_LARGEST = 2**63 - 1  # of SQLite's integers
_SOON = 3.0  # seconds that a notebook which has drawn waits for other writers


class History:
    """Results that outlive their notebook.

    Several processes may write to one at once. Each call opens the database anew, and what it
    does is done whole or not at all.

    Parameters
    ----------
    folder : Path or None
        Where it is; None: ``history`` in `sdnb.files.data_folder`.
    budget : float or None
        MB that unpinned results may take; beyond that the oldest of them go. None: as the user
        keeps it, `sdnb.records.budget`.
    """

    def __init__(self, folder: str | Path | None = None, budget: float | None = None) -> None:
        self._folder = None if folder is None else Path(folder)
        self.budget = budget
        self._is_swept = False

    @property
    def folder(self) -> Path:
        """Where the database and the pictures are."""
        return data_folder() / "history" if self._folder is None else self._folder

    def add(self, result: "Result", *, comparison: str = "", cell: Sequence[str] = ()) -> int:
        """Remember a result; return its number. One that is known already gets its cell.

        Raises `HistoryError` where it cannot be kept, and nothing is left half written; also
        where it is kept, but older ones that should go cannot.
        """
        number = self._add(result, comparison, cell, PATIENCE)
        self._trim(PATIENCE)
        return number

    def keep(self, result: "Result") -> str:
        """Remember a result; return why it could not be, empty where it was.

        Raises nothing, so that a result is shown whatever becomes of its place in the history:
        an interrupt too ends only the keeping.
        """
        try:
            return self.keep_cell(result)
        except KeyboardInterrupt:
            return f"{_NOT_KEPT}: interrupted"

    def keep_cell(self, result: "Result", *, comparison: str = "", cell: Sequence[str] = ()) -> str:
        """Remember a result as `keep` does, as a cell; an interrupt is for who computes others."""
        if not result.images:
            return ""
        doing = _NOT_KEPT
        try:
            self._add(result, comparison, cell, _SOON)
            doing = "older results could not leave the history"
            self._trim(_SOON)
        except Exception as error:  # the outer edge: disks, encoders and memory fail in many ways
            name = "" if isinstance(error, SdnbError) else f"{type(error).__name__}: "
            return f"{doing}: {name}{getattr(error, 'what', error)}"
        return ""

    def search(
        self, text: str = "", *, sampler: str = "", limit: int = 20, before: int | None = None
    ) -> Entries:
        """Find results, the newest first.

        Parameters
        ----------
        text : str
            Words that all stand in the prompt, the negative prompt or the checkpoint's name.
        sampler : str
            Only those of this sampler, whatever its options.
        limit : int
            How many at most, 1 … 10000.
        before : int, optional
            Only those with a lower number: the page after one that ends with it.
        """
        end = _LARGEST if before is None else before
        for name, number, most in (("limit", limit, 10_000), ("before", end, _LARGEST)):
            if type(number) is not int or not 1 <= number <= most:
                raise InvalidField(f"{name} is out of range.", given=number, allowed=f"1 … {most}")
        where = ["(prompt || char(10) || negative || char(10) || checkpoint) LIKE ? ESCAPE '\\'"]
        words = text.split() or [""]
        values: list[object] = [end, *(f"%{_literal(_whole(word))}%" for word in words)]
        conditions = ["number < ?", *where * len(words)]
        if sampler:
            conditions.append("sampler = ?")
            values.append(_whole(sampler))
        query = f"SELECT * FROM results WHERE {' AND '.join(conditions)}"
        with reading(self._database) as database:
            database.row_factory = Row
            rows = database.execute(f"{query} ORDER BY number DESC LIMIT ?", (*values, limit))
            return Entries(tuple(read_entry(database, row, self.folder) for row in rows.fetchall()))

    def open(self, id: int | str) -> Entry:
        """Return one entry, by its number or by its result's id."""
        column, value = ("number", id) if isinstance(id, int) else ("id", _whole(id))
        if isinstance(value, int) and not 0 < value <= _LARGEST:
            raise _no_entry(id)
        with reading(self._database) as database:
            database.row_factory = Row
            found = database.execute(f"SELECT * FROM results WHERE {column} = ?", (value,))
            if (row := found.fetchone()) is None:
                raise _no_entry(id)
            return read_entry(database, row, self.folder)

    def export(self, ids: int | str | Iterable[int | str], folder: str | Path) -> list[Path]:
        """Copy the pictures of entries to a folder; returns where they are."""
        chosen = [self.open(each) for each in _several(ids)]
        return [
            save_new(Path(folder) / f"sdnb-{seed}{kept.file.suffix}", kept.read())
            for entry in chosen
            for seed, kept in zip(entry.seeds, entry.pictures, strict=False)
        ]

    def delete(self, ids: int | str | Iterable[int | str]) -> int:
        """Forget entries, pinned or not, and delete their pictures; returns how many."""
        chosen = [self.open(each) for each in _several(ids)]
        with writing(self._database) as database:
            numbers = [(entry.number,) for entry in chosen]
            database.executemany("DELETE FROM results WHERE number = ?", numbers)
        delete_files(kept.file for entry in chosen for kept in entry.pictures)
        return len(chosen)

    def pin(self, ids: int | str | Iterable[int | str], is_pinned: bool = True) -> None:
        """Keep entries whatever the size of the history; ``is_pinned=False`` lets them go."""
        numbers = [self.open(each).number for each in _several(ids)]
        with writing(self._database) as database:
            database.executemany(
                "UPDATE results SET pinned = ? WHERE number = ?",
                [(int(is_pinned), number) for number in numbers],
            )

    def __repr__(self) -> str:
        return f"<History: {self.folder}>"

    @property
    def _database(self) -> Path:
        return self.folder / "history.sqlite"

    def _add(self, result: "Result", comparison: str, cell: Sequence[str], patience: float) -> int:
        """Remember a result as `add` does, without letting others go."""
        if not result.images:
            raise HistoryError(
                "a result without a picture is not kept in the history.",
                given=result.id,
                allowed="a result with at least one",
                fix="finish the run first",
            )
        labels = (_whole(comparison) or None, json.dumps(list(cell)) if cell else None)
        if number := self._number(result.id, patience):
            if any(labels):
                self._label(number, labels, patience)
            return number
        files: list[Path] = []
        try:
            for index in range(len(result.images)):
                files.append(write_picture(result, index, self.folder))
            return self._insert(result, files, labels, patience)
        except BaseException as error:  # an interrupt too must leave nothing behind
            # One that comes as the row is committed leaves it: then its pictures stay too.
            with suppress(HistoryError):  # where nobody can tell, they stay
                delete_files(self._unlisted(files, patience))
            if isinstance(error, InvalidField):
                raise HistoryError(error.what, given=error.given, fix=error.fix) from error
            raise

    def _number(self, id: str, patience: float) -> int:
        """Return the number of a result; 0 where it is not known."""
        with reading(self._database, patience) as database:
            found = database.execute("SELECT number FROM results WHERE id = ?", (id,)).fetchone()
            return 0 if found is None else int(found[0])

    def _unlisted(self, files: Sequence[Path], patience: float) -> list[Path]:
        query = "SELECT count(*) FROM pictures WHERE file = ?"
        with reading(self._database, patience) as database:
            return [
                file
                for file in files
                if not database.execute(query, (self._name(file),)).fetchone()[0]
            ]

    def _name(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def _label(self, number: int, labels: tuple[str | None, str | None], patience: float) -> None:
        with writing(self._database, patience) as database:
            database.execute(
                "UPDATE results SET comparison = coalesce(?, comparison), cell = coalesce(?, cell)"
                " WHERE number = ?",
                (*labels, number),
            )

    def _insert(
        self,
        result: "Result",
        files: Sequence[Path],
        labels: tuple[str | None, str | None],
        patience: float,
    ) -> int:
        request = result.request
        parent, step = result.parent or (None, None)
        thumbnails = [small_picture(image) for image in result.images]
        size = sum(file.stat().st_size for file in files) + sum(map(len, thumbnails))
        row: dict[str, object] = {
            "id": result.id,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "prompt": _whole(request.prompt),
            "negative": _whole(request.negative_prompt),
            "sampler": _whole(request.sampler.name),
            "checkpoint": _whole(request.checkpoint or ""),
            "request": json.dumps(request.to_json()),
            "facts": json.dumps(result.recorded),
            "seeds": json.dumps(list(result.seeds)),
            "parent": parent,
            "parent_step": step,
            "comparison": labels[0],
            "cell": labels[1],
        }
        texts = [value for value in row.values() if isinstance(value, str)]
        row["bytes"] = size + sum(len(text.encode()) for text in texts)
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        with writing(self._database, patience) as database:
            added = database.execute(f"INSERT INTO results ({names}) VALUES ({marks})", row)
            number = int(added.lastrowid or 0)
            database.executemany(
                "INSERT INTO pictures VALUES (?, ?, ?, ?)",
                [
                    (number, place, self._name(file), thumbnail)
                    for place, (file, thumbnail) in enumerate(zip(files, thumbnails, strict=True))
                ],
            )
        return number

    def _trim(self, patience: float) -> None:
        """Let the oldest unpinned results go while there is too much; never the newest."""
        budget = (kept_budget() or BUDGET) if self.budget is None else self.budget
        with reading(self._database, patience) as database:
            is_full = not is_within(database, budget)
        if is_full:
            with writing(self._database, patience) as database:
                going = let_go(database, budget)
            delete_files(self.folder / file for file in going)
        if not self._is_swept:
            self._is_swept = True
            sweep(self.folder)


history = History()
"""The user's."""


def _several(ids: int | str | Iterable[int | str]) -> list[int | str]:
    return [ids] if isinstance(ids, int | str) else list(dict.fromkeys(ids))


def _no_entry(id: object) -> InvalidField:
    return InvalidField(
        "the history has no such entry.",
        given=id,
        allowed="a number that sdnb.history.search() or %sd history lists",
        fix="it may have been deleted, or gone when the history was full",
    )


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # half a character has no UTF-8
