"""How much the history may take, and what goes when it takes more.

The budget is the user's, for all notebooks: ``history.json`` in the folder of the settings.
"""

import json
from pathlib import Path
from sqlite3 import Connection

from sdnb.errors import InvalidField
from sdnb.files import config_folder, replace_whole

BUDGET = 2000.0
"""MB, where nothing else was kept."""

MOST = 1e6
"""MB; as much as a terabyte."""


def read_budget(text: str) -> float:
    """Read ``on``, ``off`` (0), or a number of MB; raises `InvalidField` for anything else."""
    words = {"on": BUDGET, "off": 0.0}
    try:
        budget = words[text] if text in words else float(text)
    except ValueError:
        budget = -1.0
    if not 0 <= budget <= MOST:
        raise InvalidField(
            "the history is on, off, or has a number of MB.",
            given=text,
            allowed=f"on, off, 0 … {MOST:g}",
            fix="%sd set --history off",
        )
    return budget


def kept_budget() -> float:
    """Return what was kept for the user; raises `InvalidField` for a file that is broken."""
    path = _path()
    try:
        return read_budget(str(json.loads(path.read_text(encoding="utf-8"))["budget"]))
    except FileNotFoundError:
        return BUDGET
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InvalidField(
            f"the history's settings cannot be read: {error}",
            given=str(path),
            allowed="what `%sd set --history MB --keep` writes",
            fix="mend the file or delete it",
        ) from error


def keep_budget(budget: float) -> Path:
    """Keep it for later processes; raises `InvalidField` where the file cannot be written."""
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return replace_whole(path, json.dumps({"budget": budget}).encode())
    except OSError as error:
        raise InvalidField(
            f"the history's settings could not be kept: {error.strerror or error}.",
            given=str(path),
            allowed="a folder that can be written to",
            fix="name another folder in the environment variable SDNB_CONFIG",
        ) from error


def is_within(database: Connection, budget: float) -> bool:
    """Whether what is not pinned takes at most so many MB."""
    query = "SELECT coalesce(sum(bytes), 0) FROM results WHERE NOT pinned"
    (total,) = database.execute(query).fetchone()
    return bool(total <= budget * 1e6)


def let_go(database: Connection, budget: float) -> list[str]:
    """Delete the oldest unpinned results beyond so many MB, never the newest.

    Returns the files of their pictures, for the caller to delete once this is committed.
    """
    query = "SELECT number, bytes FROM results WHERE NOT pinned ORDER BY number DESC"
    total, files = 0, list[str]()
    for place, (number, size) in enumerate(database.execute(query).fetchall()):
        total += size
        if place and total > budget * 1e6:
            found = database.execute("SELECT file FROM pictures WHERE result = ?", (number,))
            files += [file for (file,) in found]
            database.execute("DELETE FROM results WHERE number = ?", (number,))
    return files


def _path() -> Path:
    return config_folder() / "history.json"
