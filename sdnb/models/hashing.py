"""The SHA-256 of checkpoints, by which a picture's record names what drew it.

Hashing a file of some gigabytes takes seconds, so a file's hash is kept until its size or time
changes: in ``hashes.json`` in the folder that ``SDNB_CACHE`` names, else in ``sdnb`` under
``XDG_CACHE_HOME``, else in ``~/.cache/sdnb``; where that cannot be written, for this process.
"""

import json
import os
from hashlib import file_digest, sha256
from pathlib import Path

from sdnb.files import replace_whole

CONFIG = "scheduler_config.json"

READ = ("unet", "vae", "text_encoder", "text_encoder_2")
"""The folders whose weights are read."""

_taken: dict[str, str] = {}
"""The hashes of this process, named as they are kept: the cache may be impossible to write."""


def hash_checkpoint(path: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of the names and hashes of what is read."""
    if path.is_file():
        return _hash(path)
    lines = [f"{_hash(file)}  {file.relative_to(path).as_posix()}\n" for file in _read_in(path)]
    return sha256("".join(lines).encode()).hexdigest()


def hash_tensors(path: Path) -> str:
    """Return the SHA-256 of a safetensors file's tensors: of what follows its header.

    So A1111 and kohya's tools count it: notes in the header may change.
    """
    with path.open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    return _hash(path, skipped=min(header, path.stat().st_size))


def may_be_equal(one: Path, other: Path) -> bool:
    """Whether two checkpoints may have one hash, as far as their sizes tell: nothing is read."""
    return _sizes(one) == _sizes(other)


def known_hash(path: Path) -> str | None:
    """Return a file's hash if it was taken before; None else."""
    return _known(_key(path))


def cache_path() -> Path:
    """Return the path of the kept hashes, whether the file exists or not."""
    if folder := os.environ.get("SDNB_CACHE"):
        return Path(folder) / "hashes.json"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sdnb" / "hashes.json"


def _read_in(folder: Path) -> list[Path]:
    files = [file for part in READ for file in sorted((folder / part).glob("*.safetensors"))]
    return files + [file for file in [folder / "scheduler" / CONFIG] if file.is_file()]


def _sizes(path: Path) -> dict[str, int]:
    """Return the sizes of what is hashed, by what it is called in the checkpoint."""
    if path.is_file():
        return {"": path.stat().st_size}
    return {file.relative_to(path).as_posix(): file.stat().st_size for file in _read_in(path)}


def _known(key: str) -> str | None:
    return _taken.get(key) or _kept().get(key)


def _hash(file: Path, skipped: int = 0) -> str:
    """Take the hash of a file without its first bytes."""
    key = _key(file) + (f" {skipped}" if skipped else "")
    if (known := _known(key)) is not None:
        return known
    with file.open("rb") as stream:
        stream.seek(skipped)
        digest = file_digest(stream, "sha256").hexdigest()
    _taken[key] = digest
    _keep({**_kept(), key: digest})
    return digest


def _key(file: Path) -> str:
    """Name a file as it is now: another size or time is another name."""
    state = file.stat()
    return f"{file.resolve()} {state.st_size} {state.st_mtime_ns}"


def _kept() -> dict[str, str]:
    try:
        content = json.loads(cache_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    kept = content if isinstance(content, dict) else {}
    return {str(name): digest for name, digest in kept.items() if isinstance(digest, str)}


def _keep(hashes: dict[str, str]) -> None:
    """Keep hashes where that can be written; where not, the next process takes them again."""
    path = cache_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, json.dumps(hashes, indent=1).encode())
    except OSError:
        return
