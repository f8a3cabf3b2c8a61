"""Writes to a history: ``python -m tests.records.writer FOLDER COUNT [limited]``.

Says each number when its entry is kept. With a limit no file may grow beyond the size that the
database has after the first; the number at which that was refused is said. Nothing loads torch.
"""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from PIL import Image

from sdnb.errors import HistoryError
from sdnb.records.history import History
from sdnb.request import GenerationRequest


def drawn(prompt: str = "a cat", count: int = 1, **fields: Any) -> Any:
    """What the history needs of a result, without a network."""
    request = GenerationRequest(prompt=prompt, seed=7, batch_size=count, **fields)
    return SimpleNamespace(
        id=uuid4().hex[:12],
        request=request,
        images=tuple(Image.effect_noise((48, 32), 80).convert("RGB") for _ in range(count)),
        seeds=tuple(range(7, 7 + count)),
        recorded={"seconds": "0.1"},
        parent=None,
    )


def write(history: History, count: int) -> None:
    for number in range(count):
        print(history.add(drawn(f"cat {number}")), flush=True)


def write_until_full(history: History, count: int) -> None:
    history.add(drawn())
    size = (history.folder / "history.sqlite").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    for number in range(count):
        try:
            history.add(drawn("a long prompt " * 50))
        except HistoryError:
            print(number + 1)
            return


if __name__ == "__main__":
    run = write_until_full if sys.argv[3:] else write
    run(History(Path(sys.argv[1])), int(sys.argv[2]))
