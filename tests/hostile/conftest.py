"""What hostile input is measured by: at most 5 seconds and 200 MB, and only an `SdnbError`."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sdnb.errors import SdnbError
from tests.magics.conftest import bare_shell as bare_shell
from tests.magics.conftest import notebook as notebook
from tests.magics.conftest import settings_folder as settings_folder

SECONDS, MEGABYTES = 5.0, 200.0


@contextmanager
def within_limits() -> Iterator[None]:
    """Check what a block takes: seconds of computing, and memory by the process's peak."""
    began, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    took = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
    assert took < SECONDS, f"{took:.1f} s"
    assert grown < MEGABYTES, f"{grown:.0f} MB"


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
