"""The user's defaults, kept in a JSON file: ``%sd set --steps 30 --keep``.

The file is ``settings.json`` in `sdnb.files.config_folder`. What holds for one notebook is in
`session`.
"""

import json
from pathlib import Path

from sdnb.errors import InvalidField, SdnbError
from sdnb.files import config_folder, replace_whole
from sdnb.magics.parse import Order
from sdnb.request import GenerationRequest
from sdnb.seeds import read_after

VERSION = 1


def settings_path() -> Path:
    """Return the path of the file, whether it exists or not."""
    return config_folder() / "settings.json"


def read_settings() -> Order:
    """Return the kept defaults; the built-in ones where nothing was kept.

    Raises
    ------
    InvalidField
        When the file cannot be read; it is left as it is.
    """
    path = settings_path()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["version"] > VERSION:
            raise _unreadable(path, "your settings were written by a newer sdnb")
        request = GenerationRequest.from_json(values["defaults"])
        return Order(request, read_after(values["after"]))
    except FileNotFoundError:
        return Order()
    except (SdnbError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unreadable(path, "your settings cannot be read", str(error)) from error


def write_settings(defaults: Order) -> Path:
    """Keep what differs from the built-in defaults; the old file stays whole until then."""
    built_in = GenerationRequest().to_json()
    values = defaults.request.to_json()
    changed = {name: value for name, value in values.items() if value != built_in[name]}
    kept = {"version": VERSION, "defaults": changed, "after": defaults.after}
    path = settings_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, json.dumps(kept, indent=2, ensure_ascii=False).encode())
    except OSError as error:
        raise InvalidField(
            f"your settings could not be kept: {error.strerror or error}.",
            given=str(path),
            allowed="a folder that can be written to",
            fix="name another folder in the environment variable SDNB_CONFIG",
        ) from error
    return path


def _unreadable(path: Path, what: str, why: str = "") -> InvalidField:
    return InvalidField(
        f"{what}{': ' + why.splitlines()[0] if why else ''}.",
        given=str(path),
        allowed="what `%sd set ... --keep` writes",
        fix="mend the file or delete it",
    )
