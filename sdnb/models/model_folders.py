"""Folders whose checkpoints are found by their bare names, as other tools keep theirs.

``SDNB_MODELS`` names some for this process, with the system's path separator between them;
others are kept for the user in ``models.json``, beside the settings.
"""

import json
import os
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from sdnb.errors import InvalidField
from sdnb.files import config_folder, is_there, replace_whole

VARIABLE = "SDNB_MODELS"

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
"""How the files of checkpoints and their parts end."""


def model_folders() -> list[Path]:
    """Return the folders, those of this process first; some may not be there now."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [expanded(name) for name in dict.fromkeys([*named, *_kept()]) if name]


def expanded(name: str) -> Path:
    """Return a path with ``~`` as the home folder; of a user who is not there, as it is."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def places_of(reference: str, shipped: Path) -> list[Path]:
    """Return what is there of a model's part that a path or a bare name refers to.

    ``shipped`` is the folder of those that are called by their bare names everywhere.
    """
    path = expanded(reference)
    is_whole = path.suffix.lower() in SUFFIXES  # a name may have points: detail_v1.5
    named = path if is_whole else Path(f"{path}.safetensors")
    places = [path, named]
    if reference == path.name:
        places.append(shipped / named.name)
        for folder in model_folders():
            for name in dict.fromkeys((path.name, named.name)):
                places += _below(folder, name)
    return [place for place in places if is_there(place)]


def _below(folder: Path, name: str) -> list[Path]:
    try:
        return sorted(folder.rglob(escape(name)))
    except (OSError, ValueError):  # a name that no file can have
        return []


def use_models(folder: Path) -> None:
    """Add a folder in this process and those that it starts."""
    folder = _checked(folder)
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    os.environ[VARIABLE] = os.pathsep.join(_joined([str(folder), *named]))


def keep_models(folder: Path) -> Path:
    """Add a folder for later processes too; return the file that says so.

    Raises `InvalidField` where there is no such folder, or the file cannot be written.
    """
    folder = _checked(folder)
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folders = _joined([str(folder), *_kept()])
        replace_whole(path, json.dumps({"folders": folders}, indent=2).encode())
    except OSError as error:
        raise InvalidField(
            f"the model folder could not be kept: {error.strerror or error}.",
            given=str(path),
            allowed="a folder that can be written to",
            fix="name another folder in the environment variable SDNB_CONFIG",
        ) from error
    return path


def _path() -> Path:
    return config_folder() / "models.json"


def _kept() -> list[str]:
    path = _path()
    try:
        folders = json.loads(path.read_text(encoding="utf-8"))["folders"]
        if not isinstance(folders, list):
            raise TypeError("folders is no list")
        return [str(name) for name in folders]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidField(
            f"your model folders cannot be read: {error}",
            given=str(path),
            allowed="what `%sd set --models DIR --keep` writes",
            fix="mend the file or delete it",
        ) from error


def _joined(names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name]


def _checked(folder: Path) -> Path:
    """Return a folder by its whole path; raises `InvalidField` where there is none."""
    whole = expanded(str(folder)).resolve()
    if not whole.is_dir():
        raise InvalidField(
            "there is no such model folder.",
            given=str(folder),
            allowed="a folder of checkpoints, for example stable-diffusion-webui/models",
            fix="check the path, relative to the notebook's folder",
        )
    return whole
