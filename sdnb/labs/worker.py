"""One thread that works off what it is asked, and is there only while there is work.

Whatever is asked next has precedence: what is at work looks at `Worker.is_wanted` between two
calls of the network and gives way. So nothing waits behind a long run, a pause needs no thread,
and nothing is left behind.
"""

import atexit
import ctypes
import sys
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread, current_thread
from time import monotonic

from sdnb.errors import SdnbError

Task = Callable[[], None]

TICK = 0.05
"""Seconds between two looks of whoever waits: an interrupt of the kernel gets through."""

LAST = 2.0
"""Seconds that Python's end waits for the call that is on, at most."""


class Worker:
    """At most one thread at a time.

    Parameters
    ----------
    failed : callable
        Told what a task raised; the next task goes on.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._tasks: deque[Task] = deque()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._idle = Event()
        self._idle.set()

    @property
    def is_wanted(self) -> bool:
        """Whether something else was asked: the task at work should end."""
        return bool(self._tasks)

    @property
    def is_busy(self) -> bool:
        """Whether there is a thread."""
        return not self._idle.is_set()

    def submit(self, task: Task) -> None:
        """Do this as soon as the task at work gives way; returns at once."""
        with self._lock:
            self._tasks.append(task)
            if self._thread is None:
                self._start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all is done; return whether it is.

        An interrupt ends the waiting, not the work. A task does not wait for itself.
        """
        if current_thread() is self._thread:
            return False
        end = None if seconds is None else monotonic() + seconds
        # no Thread.join: interrupted, it takes a living thread for a dead one (CPython 3.11)
        while not self._idle.wait(TICK):
            if end is not None and monotonic() >= end:
                return False
        return True

    def _start(self) -> None:
        """Start a thread, if there is anything to do; whoever calls holds the lock."""
        self._thread = None
        if not self._tasks:
            atexit.unregister(self._give_way)
            self._idle.set()
            return
        self._idle.clear()
        atexit.register(self._give_way)
        leave_cores()
        # a daemon: a kernel that is shut down does not wait for a run
        self._thread = Thread(target=self._work, name="sdnb-lab", daemon=True)
        self._thread.start()

    def _give_way(self) -> None:
        """End the task at work before Python ends: torch aborts a process that ends beneath it."""
        self.submit(lambda: None)
        self._idle.wait(LAST)

    def _work(self) -> None:
        try:
            while (task := self._next()) is not None:
                try:
                    task()
                except Exception as error:  # a thread has nobody above it: its owner is told
                    self._failed(error)
        except BaseException:  # the owner failed too: this thread ends, the work does not
            with self._lock:
                self._start()
            raise

    def _next(self) -> Task | None:
        with self._lock:
            if self._tasks:
                return self._tasks.popleft()
            self._start()
            return None


def leave_cores() -> None:
    """End the helper threads that the calling thread computed with; the next loop makes new ones.

    Each thread that computes has a team of its own. GCC's OpenMP, which torch brings on Linux,
    counts them together: as soon as they are more than the cores, those that wait fall asleep
    instead of spinning, and each of a network's many short loops has to wake them. On two cores
    that made a run in a second thread 1.7 times as long.

    Source: OpenMP 5.0, section 3.2.43, ``omp_pause_resource``.
    """
    runtime = ctypes.CDLL(None) if sys.platform == "linux" else None  # whatever is loaded
    if runtime is not None and hasattr(runtime, "omp_pause_resource"):
        soft = 1  # of omp_pause_resource_t: what is set stays
        runtime.omp_pause_resource(soft, runtime.omp_get_initial_device())


def described(error: Exception) -> SdnbError:
    """Return an error as one of sdnb's, whatever a task raised."""
    if isinstance(error, SdnbError):
        return error
    wrapped = SdnbError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
