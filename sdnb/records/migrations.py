"""How the history's database came to be, step by step; a step that was released never changes.

A database says by its ``user_version`` how many of them it has been through.
"""

from collections.abc import Callable
from sqlite3 import Connection

RESULTS = """
CREATE TABLE results (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    made        TEXT NOT NULL,             -- UTC, ISO 8601
    prompt      TEXT NOT NULL,
    negative    TEXT NOT NULL,
    sampler     TEXT NOT NULL,
    checkpoint  TEXT NOT NULL,
    request     TEXT NOT NULL,             -- JSON, as GenerationRequest.to_json
    facts       TEXT NOT NULL,             -- JSON, as Result.recorded
    seeds       TEXT NOT NULL,             -- JSON, one for each image
    parent      TEXT,                      -- of a branch: the id it comes from
    parent_step INTEGER,
    comparison  TEXT,                      -- of a cell: which comparison
    cell        TEXT,                      -- JSON, its labels
    pinned      INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL
)
"""
PICTURES = """
CREATE TABLE pictures (
    result    INTEGER NOT NULL REFERENCES results (number) ON DELETE CASCADE,
    place     INTEGER NOT NULL,
    file      TEXT NOT NULL,               -- beside the database
    thumbnail BLOB NOT NULL,               -- WebP
    PRIMARY KEY (result, place)
)
"""


def _first(database: Connection) -> None:
    database.execute(RESULTS)
    database.execute(PICTURES)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first,)
"""In order; a new one is added at the end."""


def version_of(database: Connection) -> int:
    """Return how many steps a database has been through."""
    (number,) = database.execute("PRAGMA user_version").fetchone()
    return int(number)


def migrate(database: Connection) -> None:
    """Take the steps that a database lacks, all or none, inside the caller's transaction."""
    for number, step in enumerate(MIGRATIONS[version_of(database) :], version_of(database) + 1):
        step(database)
        database.execute(f"PRAGMA user_version = {number}")
