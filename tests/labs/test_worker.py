"""One thread: in order, giving way, gone when there is nothing to do."""

import subprocess
import sys
from pathlib import Path
from threading import Event, active_count, current_thread, main_thread
from time import monotonic, sleep

import pytest
import torch

from sdnb.labs.worker import Worker

LEFT_COMPUTING = """
from threading import Event
import torch
from sdnb.labs.worker import Worker

worker, began = Worker(print), Event()

def compute():
    while not worker.is_wanted:
        torch.ones(512, 512) @ torch.ones(512, 512)
        began.set()

worker.submit(compute)
began.wait()
"""

TASKS = Path("/proc/self/task")
"""A folder a thread of this process, on Linux."""


def no_error(error: Exception) -> None:
    raise error


def test_tasks_run_in_order_in_one_other_thread():
    # given
    seen = []
    worker = Worker(no_error)

    # when
    for number in range(20):
        worker.submit(lambda number=number: seen.append((number, current_thread())))
    assert worker.wait(10.0)

    # then
    assert [number for number, _ in seen] == list(range(20))
    assert all(thread is not main_thread() for _, thread in seen)


def test_no_thread_is_left_when_all_is_done():
    # given
    before = active_count()
    worker = Worker(no_error)

    # when
    worker.submit(lambda: None)
    assert worker.wait(10.0)

    # then: it ends just after it said so
    assert not worker.is_busy
    end = monotonic() + 5
    while active_count() > before and monotonic() < end:
        sleep(0.001)
    assert active_count() <= before


def test_what_is_at_work_learns_that_something_else_is_wanted():
    # given
    worker, began, seen = Worker(no_error), Event(), []

    def long() -> None:
        began.set()
        while not worker.is_wanted:
            began.wait(0.001)
        seen.append("gave way")

    worker.submit(long)
    assert began.wait(10.0)

    # when
    worker.submit(lambda: seen.append("next"))

    # then
    assert worker.wait(10.0)
    assert seen == ["gave way", "next"]


def test_an_error_is_told_and_the_next_task_runs():
    # given
    told, seen = [], []
    worker = Worker(told.append)

    # when
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: seen.append("next"))
    assert worker.wait(10.0)

    # then
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert seen == ["next"]


def test_waiting_ends_in_time_and_a_task_does_not_wait_for_itself():
    # given
    worker, go_on, waited = Worker(no_error), Event(), []
    worker.submit(lambda: waited.append(worker.wait()))
    worker.submit(lambda: go_on.wait(10.0))

    # when
    is_done = worker.wait(0.2)
    go_on.set()

    # then
    assert not is_done
    assert worker.wait(10.0)
    assert waited == [False]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_that_fails_too_stops_nothing():
    # given: what is told of an error raises one
    worker, seen = Worker(no_error), []

    # when
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: seen.append("next"))
    done = worker.wait(10.0)
    worker.submit(lambda: 1 / 0)
    done_again = worker.wait(10.0)
    worker.submit(lambda: seen.append("later"))

    # then
    assert worker.wait(10.0)
    assert done and done_again
    assert seen == ["next", "later"]


def test_python_ends_in_order_while_a_thread_computes():
    script = [sys.executable, "-c", LEFT_COMPUTING]
    ended = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' OpenMP has no such teams")
def test_whoever_submits_leaves_its_cores_to_the_thread():
    # given: this thread has computed with a helper
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.ones(1000, 1000) @ torch.ones(1000, 1000)
    torch.ones(1000, 1000).exp().sum()
    computing = len(list(TASKS.iterdir()))
    worker = Worker(no_error)

    # when
    worker.submit(lambda: None)
    assert worker.wait(10.0)
    torch.set_num_threads(before)

    # then
    end = monotonic() + 5
    while len(list(TASKS.iterdir())) >= computing and monotonic() < end:
        sleep(0.001)
    assert len(list(TASKS.iterdir())) < computing
