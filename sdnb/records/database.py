"""The history's database: opened for one thing at a time, by as many processes as there are.

What is in it is in `sdnb.records.migrations`.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from sqlite3 import Connection

from sdnb.errors import HistoryError, SdnbError
from sdnb.records.migrations import MIGRATIONS, migrate, version_of

PATIENCE = 30.0
"""Seconds that one process waits for another that writes."""


def reading(path: Path, patience: float = PATIENCE) -> AbstractContextManager[Connection]:
    """Give the database as it is now, made if need be; nobody waits for who reads."""
    return _opened(path, "BEGIN", patience)


def writing(path: Path, patience: float = PATIENCE) -> AbstractContextManager[Connection]:
    """Give the database, made if need be; what a block changes is written whole or not at all.

    Others wait that long for their turn to write.
    """
    return _opened(path, "BEGIN IMMEDIATE", patience)


@contextmanager
def _opened(path: Path, begin: str, patience: float) -> Iterator[Connection]:
    """Raises `HistoryError` where it cannot be used; one of a newer version is left as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
        with closing(connection) as database:
            _prepare(database, path, patience)
            with _transaction(database, begin):
                yield database
    except SdnbError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise HistoryError(
            f"the history cannot be read or written: {error}.",
            given=str(path),
            allowed="a database of sdnb in a folder that can be written to, with space left",
            fix="move the file away if it is broken; SDNB_DATA names another folder",
        ) from error


@contextmanager
def _transaction(database: Connection, begin: str) -> Iterator[None]:
    database.execute(begin)
    try:
        yield
    except BaseException:  # an interrupt too must not leave half of it
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _prepare(database: Connection, path: Path, patience: float) -> None:
    version = version_of(database)
    if version > len(MIGRATIONS):
        raise HistoryError(
            "this history was written by a newer sdnb.",
            given=f"{path}, version {version}",
            allowed=f"versions up to {len(MIGRATIONS)}",
            fix="upgrade sdnb, or name another folder in the environment variable SDNB_DATA",
        )
    database.execute("PRAGMA foreign_keys = ON")
    if version < len(MIGRATIONS):
        _use_write_ahead_log(database, patience)
        with _transaction(database, "BEGIN IMMEDIATE"):
            migrate(database)


def _use_write_ahead_log(database: Connection, patience: float) -> None:
    """Let readers read while another process writes; SQLite itself does not wait for this."""
    until = time.monotonic() + patience
    while True:
        try:
            (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    if mode != "wal":  # SQLite says so in its answer, without an error
        raise sqlite3.OperationalError(f"its folder's disk has no write-ahead log, but {mode}")
