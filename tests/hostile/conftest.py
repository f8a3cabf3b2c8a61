"""What hostile input is measured by: at most 5 seconds and 200 MB, and only an `SdnbError`."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sdnb.errors import SdnbError
from tests.magics.conftest import bare_shell as bare_shell
from tests.magics.conftest import notebook as notebook
from tests.magics.conftest import settings_folder as settings_folder

SECONDS, MEGABYTES = 5.0, 200.0


@contextmanager
def within_limits(seconds: float = SECONDS) -> Iterator[None]:
    """Check what a block takes: seconds of computing, and memory by its own peak."""
    began, before = time.process_time(), resident()
    begin_peak()
    yield
    took, grown = time.process_time() - began, peak() - before
    assert took < seconds, f"{took:.1f} s"
    assert grown < MEGABYTES, f"{grown:.0f} MB"


def begin_peak() -> None:
    """Let the process's peak of memory begin anew, where the system can.

    Elsewhere the peak is that of all its life: a block is then measured by what it adds to it.
    Source: Linux, Documentation/filesystems/proc.rst, ``clear_refs``.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Return the peak of the process's memory since `begin_peak`, in MB."""
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident() -> float:
    """Return the process's memory, in MB; its peak, where the system does not tell it."""
    return _status("VmRSS") or peak()


def _status(name: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return float(next(found, 0)) / 1024


def refused(call: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Call with hostile input, within limits; return whether it was refused by an `SdnbError`.

    Any other exception fails the test.
    """
    with within_limits():
        try:
            call(*args, **options)
        except SdnbError as error:
            assert str(error)
            return True
    return False


@pytest.fixture(scope="session")
def fish(pipe: Any) -> Any:
    """Draw a small picture, the same each time."""
    return pipe.run("a blue fish", seed=7, steps=2, width=32, height=32)
