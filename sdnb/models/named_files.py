"""Files that requests name beside the checkpoint: found, told apart by their hashes, read once.

What is in them, and where each kind of them is looked for, is in ``lora_file``,
``controlnet_file``, ``ip_adapter_file`` and ``embedding_file``.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

from sdnb.control import Control
from sdnb.embedding import Embedding
from sdnb.errors import LoadError, reason_of
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.models.hashing import hash_checkpoint
from sdnb.models.recent import Recent

Named = TypeVar("Named", Control, Embedding, IPAdapter, Lora)
"""What names a file by its ``reference``; once it was read, with its ``sha256``."""

Read = TypeVar("Read")


class NamedFiles(Generic[Named, Read]):
    """Files of one kind, as one checkpoint reads them.

    Parameters
    ----------
    noun : str
        What messages call one.
    locate : callable
        Reference -> path; raises `LoadError` where there is none.
    read : callable
        Path -> what is in the file; raises `LoadError` where it is broken or does not fit.
    limit : int
        How many stay in memory: those used last.
    take_hash : callable
        Path -> SHA-256.
    """

    def __init__(
        self,
        noun: str,
        locate: Callable[[str], Path],
        read: Callable[[Path], Read],
        *,
        limit: int,
        take_hash: Callable[[Path], str] = hash_checkpoint,
    ) -> None:
        self._noun = noun
        self._locate = locate
        self._read = read
        self._take_hash = take_hash
        self._kept = Recent[tuple[str, str], Read](limit)

    def hold(self, count: int) -> None:
        """Keep no fewer than ``count`` files: all that one request names."""
        self._kept.hold(count)

    def resolved(self, named: Named, path: Path | None = None) -> Named:
        """Read a file and return what names it with its hash; ``path`` is where it was found.

        Raises `LoadError` for one that is missing, broken or made for other networks, and for
        one that is not the file any more that its hash was taken of.
        """
        path = path or self._locate(named.reference)
        resolved = replace(named, sha256=self._checked(named, path))
        self._kept.of(_key(resolved), lambda: self._read(path))
        return resolved

    def of(self, named: Named) -> Read:
        """Return what is in the file of something resolved."""
        return self._kept.of(_key(named), lambda: self._read_again(named))

    def _read_again(self, named: Named) -> Read:
        path = self._locate(named.reference)
        self._checked(named, path)
        return self._read(path)

    def _checked(self, named: Named, path: Path) -> str:
        """Return a file's hash, which is that of ``named`` if it has one."""
        try:
            sha256 = self._take_hash(path)
        except OSError as error:
            raise LoadError(
                f"this {self._noun} cannot be read: {reason_of(error, path)}.",
                given=str(path),
                allowed="a file that may be read",
                fix="look at its permissions, or copy it again",
            ) from error
        if named.sha256 not in ("", sha256):
            raise LoadError(
                f"this {self._noun} is another file than the one that the request was drawn with.",
                given=f"{path}: {sha256[:12]}",
                allowed=f"the file with the hash {named.sha256[:12]}",
                fix="put that file there; to draw with this one, name it anew, without a hash",
            )
        return sha256


def _key(named: Control | Embedding | IPAdapter | Lora) -> tuple[str, str]:
    """Tell files apart: equal weights mean another network where a folder's config is another."""
    return named.reference, named.sha256
