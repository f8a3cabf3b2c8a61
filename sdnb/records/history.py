"""The history: every result with its request, pictures and place among others, found again.

`sdnb.history` is the user's; a notebook fills it, and so does a pipeline loaded with
``history=True``. A picture is a file that carries its request, beside one database; a row is
written when its pictures are, so that what is listed is there.
"""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from sqlite3 import Connection, Row
from typing import TYPE_CHECKING
from uuid import uuid4

from sdnb import picture_file
from sdnb.errors import HistoryError, InvalidField, SdnbError
from sdnb.files import data_folder, save_new
from sdnb.records.budget import BUDGET, kept_budget
from sdnb.records.database import opened
from sdnb.records.entries import Entries, Entry, Kept

if TYPE_CHECKING:
    from PIL.Image import Image

    from sdnb.result import Result

THUMBNAIL = 96
"""Pixels of a thumbnail's longer side."""

_STRAY = 3600.0  # seconds: a picture without a row that is older was left by a killed process


class History:
    """Results that outlive their notebook.

    Several processes may write to one at once. Each call opens the database anew, and what it
    does is done whole or not at all.

    Parameters
    ----------
    folder : Path or None
        Where it is; None: ``history`` in `sdnb.files.data_folder`.
    budget : float or None
        MB that pictures may take; beyond that the oldest unpinned results go. None: as the user
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

        Raises `HistoryError` where it cannot be kept; nothing is left half written.
        """
        with opened(self._database) as database:
            known = database.execute("SELECT number FROM results WHERE id = ?", (result.id,))
            if (row := known.fetchone()) is not None:
                place = (comparison or None, json.dumps(list(cell)), row[0])
                database.execute(
                    "UPDATE results SET comparison = ?, cell = ? WHERE number = ?", place
                )
                return int(row[0])
        files: list[Path] = []
        try:
            for index in range(len(result.images)):
                files.append(self._write(result, index))
            number = self._insert(result, files, comparison, cell)
        except BaseException as error:  # an interrupt too must leave nothing behind
            for file in files:
                file.unlink(missing_ok=True)
            if isinstance(error, InvalidField):
                raise HistoryError(error.what, given=error.given, fix=error.fix) from error
            raise
        self._trim()
        return number

    def keep(self, result: "Result", *, comparison: str = "", cell: Sequence[str] = ()) -> str:
        """Remember a result; return why it could not be, empty where it was."""
        if not result.images:
            return ""
        try:
            self.add(result, comparison=comparison, cell=cell)
        except SdnbError as error:
            return f"not kept in the history: {error.what}"
        return ""

    def search(self, text: str = "", *, sampler: str = "", limit: int = 20) -> Entries:
        """Find results, the newest first.

        Parameters
        ----------
        text : str
            Words that all stand in the prompt, the negative prompt or the checkpoint's name.
        sampler : str
            Only those of this sampler, whatever its options.
        limit : int
            How many at most, 1 … 10000.
        """
        if not isinstance(limit, int) or not 1 <= limit <= 10_000:
            raise InvalidField("limit is out of its range.", given=limit, allowed="1 … 10000")
        where = ["(prompt || char(10) || negative || char(10) || checkpoint) LIKE ? ESCAPE '\\'"]
        words = text.split() or [""]
        values: list[object] = [f"%{_literal(word)}%" for word in words]
        conditions = where * len(words)
        if sampler:
            conditions.append("sampler = ?")
            values.append(sampler)
        query = f"SELECT * FROM results WHERE {' AND '.join(conditions)}"
        with opened(self._database) as database:
            database.row_factory = Row
            rows = database.execute(f"{query} ORDER BY number DESC LIMIT ?", (*values, limit))
            return Entries(tuple(self._entry(database, row) for row in rows.fetchall()))

    def open(self, id: int | str) -> Entry:
        """Return one entry, by its number or by its result's id."""
        with opened(self._database) as database:
            database.row_factory = Row
            column = "number" if isinstance(id, int) else "id"
            row = database.execute(f"SELECT * FROM results WHERE {column} = ?", (id,)).fetchone()
            if row is None:
                raise _no_entry(id)
            return self._entry(database, row)

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
        self._forget(chosen)
        return len(chosen)

    def pin(self, ids: int | str | Iterable[int | str], is_pinned: bool = True) -> None:
        """Keep entries whatever the size of the history; ``is_pinned=False`` lets them go."""
        numbers = [self.open(each).number for each in _several(ids)]
        with opened(self._database) as database:
            database.executemany(
                "UPDATE results SET pinned = ? WHERE number = ?",
                [(int(is_pinned), number) for number in numbers],
            )

    def __repr__(self) -> str:
        return f"<History: {self.folder}>"

    @property
    def _database(self) -> Path:
        return self.folder / "history.sqlite"

    def _write(self, result: "Result", index: int) -> Path:
        """Save a picture of a result under a name that nobody has."""
        place = self.folder / "pictures" / result.id[:2] / f"{result.id}-{uuid4().hex[:6]}.png"
        image, facts = result.images[index], result.recorded
        return picture_file.write(image, place, result.request, index=index, facts=facts)

    def _insert(
        self, result: "Result", files: Sequence[Path], comparison: str, cell: Sequence[str]
    ) -> int:
        request = result.request
        parent, step = result.parent or (None, None)
        thumbnails = [_thumbnail(image) for image in result.images]
        size = sum(file.stat().st_size for file in files) + sum(map(len, thumbnails))
        row = {
            "id": result.id,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "prompt": _whole(request.prompt),
            "negative": _whole(request.negative_prompt),
            "sampler": request.sampler.name,
            "checkpoint": request.checkpoint or "",
            "request": json.dumps(request.to_json()),
            "facts": json.dumps(result.recorded),
            "seeds": json.dumps(list(result.seeds)),
            "parent": parent,
            "parent_step": step,
            "comparison": comparison or None,
            "cell": json.dumps(list(cell)),
            "bytes": size,
        }
        names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
        with opened(self._database) as database:
            added = database.execute(f"INSERT INTO results ({names}) VALUES ({marks})", row)
            number = int(added.lastrowid or 0)
            database.executemany(
                "INSERT INTO pictures VALUES (?, ?, ?, ?)",
                [
                    (number, place, file.relative_to(self.folder).as_posix(), thumbnail)
                    for place, (file, thumbnail) in enumerate(zip(files, thumbnails, strict=True))
                ],
            )
        return number

    def _entry(self, database: Connection, row: Row) -> Entry:
        query = "SELECT file, thumbnail FROM pictures WHERE result = ? ORDER BY place"
        pictures = database.execute(query, (row["number"],)).fetchall()
        return Entry(
            number=row["number"],
            id=row["id"],
            made=row["made"],
            written=row["request"],
            facts=json.loads(row["facts"]),
            seeds=tuple(json.loads(row["seeds"])),
            parent=None if row["parent"] is None else (row["parent"], row["parent_step"]),
            comparison=row["comparison"] or "",
            cell=tuple(json.loads(row["cell"] or "[]")),
            is_pinned=bool(row["pinned"]),
            pictures=tuple(Kept(self.folder / file, small) for file, small in pictures),
        )

    def _trim(self) -> None:
        """Let the oldest unpinned results go while there is too much; never the newest."""
        budget = (kept_budget() or BUDGET) if self.budget is None else self.budget
        with opened(self._database) as database:
            database.row_factory = Row
            (total,) = database.execute("SELECT coalesce(sum(bytes), 0) FROM results").fetchone()
            if total <= budget * 1e6 and self._is_swept:
                return
            rows = database.execute("SELECT * FROM results WHERE NOT pinned ORDER BY number")
            going = []
            for row in rows.fetchall()[:-1]:
                if total <= budget * 1e6:
                    break
                total -= row["bytes"]
                going.append(self._entry(database, row))
        self._forget(going)
        if not self._is_swept:
            self._is_swept = True
            self._sweep()

    def _forget(self, entries: Sequence[Entry]) -> None:
        with opened(self._database) as database:
            numbers = [(entry.number,) for entry in entries]
            database.executemany("DELETE FROM results WHERE number = ?", numbers)
        for entry in entries:
            for kept in entry.pictures:
                kept.file.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Delete pictures that a killed process left without a row."""
        with opened(self._database) as database:
            known = {file for (file,) in database.execute("SELECT file FROM pictures")}
        for file in (self.folder / "pictures").glob("*/*"):
            is_known = file.relative_to(self.folder).as_posix() in known
            try:
                if not is_known and time.time() - file.stat().st_mtime > _STRAY:
                    file.unlink()
            except OSError:  # another process was faster
                continue


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


def _thumbnail(image: "Image") -> bytes:
    small, buffer = image.copy(), BytesIO()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()
