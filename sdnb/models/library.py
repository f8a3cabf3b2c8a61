"""What checkpoints a folder holds, without loading any."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from sdnb.errors import InvalidField, SdnbError
from sdnb.models.checkpoint import EMBEDDED, checkpoints_in, name_of
from sdnb.models.folder import read_family
from sdnb.models.hashing import hash_checkpoint, known_hash
from sdnb.models.model_folders import model_folders
from sdnb.models.single_file import opened, recognise, tell_size
from sdnb.models.weights import PICKLES


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint on disk.

    Parameters
    ----------
    name : str
        What `sdnb.load` takes where its folder is one of the model folders.
    path : Path
        Its file, or its folder in diffusers' layout.
    family : str
        ``"SD1"``, ``"SD2"``, ``"SDXL"``, ``"SDXL refiner"``; empty where it cannot be loaded.
    bytes : int
        Of its file, or of all weights in its folder.
    size : int or None
        Pixels of a side in training.
    why_not : str
        Why it cannot be loaded; empty where it can.
    """

    name: str
    path: Path
    family: str
    bytes: int
    size: int | None
    why_not: str = ""

    @property
    def sha256(self) -> str:
        """The SHA-256; of a file of gigabytes this takes seconds, once."""
        return hash_checkpoint(self.path)


@dataclass(frozen=True)
class Checkpoints(Sequence[Checkpoint]):
    """Checkpoints, in a table where they are shown."""

    found: tuple[Checkpoint, ...]

    def __len__(self) -> int:
        return len(self.found)

    # An index gives one, a slice several, as with any sequence.
    def __getitem__(self, index: Any) -> Any:
        return self.found[index]

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self.found)

    def __repr__(self) -> str:
        rows = [HEADINGS, *map(_row, self.found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )
        return "\n".join(lines) if self.found else NOTHING

    def _repr_html_(self) -> str:
        if not self.found:
            return f"<p>{escape(NOTHING)}</p>"
        heads = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in HEADINGS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _row(each)) + "</tr>"
            for each in self.found
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


HEADINGS = ("name", "family", "trained at", "size", "hash", "")

NOTHING = "No checkpoints here: .safetensors files and folders in diffusers' layout are listed."


def checkpoints(folder: str | Path | None = None) -> Checkpoints:
    """List the checkpoints of a folder and those inside it.

    Parameters
    ----------
    folder : path or None
        None: the model that ships with sdnb, and the model folders.

    Only headers are read. A hash is shown where it is known; ``checkpoint.sha256`` takes it.
    Raises `InvalidField` where there is no such folder.
    """
    if folder is None:
        paths = [*EMBEDDED.values()]
        paths += [path for each in model_folders() for path in checkpoints_in(each)]
    else:
        place = Path(folder).expanduser()
        if not place.is_dir():
            raise InvalidField(
                "there is no such folder.",
                given=str(folder),
                allowed="a folder of checkpoints, for example models/Stable-diffusion",
                fix="check the path, relative to the notebook's folder",
            )
        paths = list(checkpoints_in(place))
    return Checkpoints(tuple(map(describe, paths)))


def describe(path: Path) -> Checkpoint:
    """Describe a checkpoint by its headers and configurations; never raises for a broken one."""
    family, size, why_not = "", None, ""
    try:
        if path.suffix.lower() in PICKLES:
            why_not = "a pickle: sdnb.load(path, allow_pickle=True), if you trust it"
        elif path.is_dir():
            told, size = read_family(path)
            family = told.name
        else:
            with opened(path) as weights:
                told = recognise(weights)
                family, size = told.name, tell_size(weights, told)
    except SdnbError as error:
        why_not = error.what
    files = path.rglob("*.safetensors") if path.is_dir() else [path]
    return Checkpoint(
        name=name_of(path),
        path=path,
        family=family,
        bytes=sum(file.stat().st_size for file in files if file.is_file()),
        size=size,
        why_not=why_not,
    )


def _row(each: Checkpoint) -> tuple[str, ...]:
    known = known_hash(each.path) if each.path.is_file() else None
    return (
        each.name,
        each.family or "-",
        "-" if each.size is None else f"{each.size}x{each.size}",
        _readable(each.bytes),
        known[:10] if known else "-",
        each.why_not,
    )


def _readable(count: int) -> str:
    if count < 1e9:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e9:.2f} GB"
