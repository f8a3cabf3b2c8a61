"""A sweep gives what the same runs give alone, whatever happens to its workers on the way."""

import multiprocessing
import os
import signal
import sys
from collections import Counter
from multiprocessing import resource_tracker
from time import monotonic, sleep

import dask
import pytest
import torch
from distributed import Client, LocalCluster
from distributed.utils import get_mp_context

import sdnb
from sdnb.comparison import sweep as sweeping
from sdnb.comparison.compare import Comparison
from sdnb.comparison.plan import cross
from sdnb.comparison.sweep import Workers
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.events import Hooks
from sdnb.hook_use import HookUse
from sdnb.registry import HOOKS
from sdnb.request import GenerationRequest

PROMPT = "a large blue house"
SMALL = {"width": 64, "height": 64}

DEADLY = """
import os, signal
from sdnb.registry import HOOKS

@HOOKS.register("deadly")
def deadly(event):
    if event.prompt == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
"""
"""What the workers of the tests begin with: a hook that kills the process of one prompt."""


START = "distributed.worker.multiprocessing-method"
NEEDED = ["distributed", "sdnb.comparison.sweep"]


@pytest.fixture(scope="module")
def forks():
    """Begin workers as copies of one process that has imported what they compute with."""
    with dask.config.set({START: "forkserver"}):
        get_mp_context()  # the first time, Dask names imports of its own there
        multiprocessing.get_context("forkserver").set_forkserver_preload(NEEDED)
        yield


@pytest.fixture
def spawns():
    """Begin workers anew, as they do where nothing else is said."""
    with dask.config.set({START: "spawn"}):
        yield


@pytest.fixture(scope="module")
def client(forks):
    """Two processes, which are started again when they die."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            preload=[DEADLY],
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def one_by_one(monkeypatch):
    """Make a task of each cell."""
    monkeypatch.setattr(sweeping, "MOST_CELLS", 1)


def is_soon(happens, seconds=30.0):
    """Whether something happens before its time is over."""
    end = monotonic() + seconds
    while not happens():
        if monotonic() > end:
            return False
        sleep(0.05)
    return True


def is_idle(client):
    """Whether the scheduler knows no task, and no worker computes one."""
    executing = client.run(lambda dask_worker: len(dask_worker.state.executing))
    return not client.cluster.scheduler.tasks and not any(executing.values())


def assert_as_alone(comparison, tiny):
    for cell, result in zip(comparison.plan.cells, comparison.results, strict=True):
        alone = tiny.run(cell.request)
        assert float((result.latents - alone.latents).norm() / alone.latents.norm()) < 1e-4
        assert result.request == alone.request
        assert result.evaluations == alone.evaluations


def test_every_cell_is_its_lone_run_and_each_is_computed_once(tiny, client):
    comparison = sdnb.sweep(
        tiny,
        PROMPT,
        client=client,
        seed=7,
        sampler=["euler", "heun", "euler"],
        steps=[2, 3],
        **SMALL,
    )

    assert comparison.is_complete
    assert_as_alone(comparison, tiny)
    assert comparison.results[0] is comparison.results[4]
    asked = Counter(number for call in comparison.calls for number in call)
    assert asked == {n: comparison.results[n].evaluations + 1 for n in range(4)}  # and its picture
    assert len(comparison.calls[0]) == 2  # a worker's two cells share their calls
    assert is_soon(lambda: is_idle(client))


def test_workers_load_what_this_process_loaded_swapped_parts_and_dtype_too(client):
    # given
    tiny = sdnb.load("tiny", vae="tiny", dtype="bfloat16")
    tiny = tiny.swapped(scheduler={"beta_end": 0.014}).swapped(text_encoders="tiny")

    # when
    comparison = sdnb.sweep(tiny, PROMPT, client=client, seed=[1, 2], steps=1, **SMALL)

    # then
    for result in comparison.results:
        alone = tiny.run(result.request)
        assert torch.equal(result.latents, alone.latents)
        assert result.checkpoint_sha256 == alone.checkpoint_sha256


def test_a_worker_loads_the_checkpoint_once_for_a_sweep(client, one_by_one):
    # given
    def count_loads():
        from sdnb.comparison import sweep

        load, loads = sweep.load_again, []
        sweep.load_again = lambda recipe: loads.append(recipe.reference) or load(recipe)
        sweep.loads = loads

    def loads():
        from sdnb.comparison import sweep

        return sweep.loads

    client.run(count_loads)
    plan = cross(GenerationRequest(steps=1, **SMALL), {"seed": [1, 2, 3, 4, 5, 6, 7, 8]})
    comparison = Comparison(plan, Workers("tiny", client, "none"))

    # when: interrupted once
    next(comparison.rounds())
    comparison.resume()

    # then
    assert comparison.is_complete
    assert set(map(tuple, client.run(loads).values())) == {("tiny",)}


def test_an_interrupt_keeps_what_is_finished_and_leaves_no_task(
    tiny, client, one_by_one, monkeypatch
):
    # given
    fill = Comparison._fill

    def interrupt(self, number, result):
        fill(self, number, result)
        raise KeyboardInterrupt

    # when
    with monkeypatch.context() as patched:
        patched.setattr(Comparison, "_fill", interrupt)
        comparison = sdnb.sweep(
            "tiny", PROMPT, client=client, seed=[1, 2, 3, 4, 5, 6], steps=2, **SMALL
        )

    # then
    (finished,) = filter(None, comparison.results)
    assert is_soon(lambda: is_idle(client))
    comparison.resume()
    assert comparison.is_complete
    assert finished in comparison.results
    assert_as_alone(comparison, tiny)


def test_a_cancelled_task_ends_between_two_rounds(client, one_by_one):
    # given
    request = GenerationRequest(seed=7, sampler="heun", batch_size=8)
    comparison = Comparison(cross(request, {"steps": [1000, 1]}), Workers("tiny", client, "none"))
    rounds = comparison.rounds()

    # when
    while comparison.results[1] is None:
        next(rounds)
    rounds.close()

    # then
    assert comparison.results[0] is None
    assert is_soon(lambda: is_idle(client))  # the rest of it takes minutes


def test_a_cell_that_fails_leaves_the_others(client):
    comparison = sdnb.sweep(
        "tiny", PROMPT, client=client, seed=7, steps=1, checkpoint=["tiny", "elsewhere"], **SMALL
    )

    assert comparison.results[0] is not None
    with pytest.raises(UnknownName, match="elsewhere"):
        comparison.at(checkpoint="elsewhere")


def test_what_only_this_process_knows_fails_on_the_workers_by_name(client):
    HOOKS.register("known_here_only")(print)
    request = GenerationRequest(steps=1, hooks=(HookUse.parse("step:known_here_only"),), **SMALL)
    comparison = sdnb.sweep("tiny", request, client=client, seed=[1])
    HOOKS.remove("known_here_only")

    assert "known_here_only" in str(comparison.errors[0])


def test_a_checkpoint_that_no_worker_finds_fails_every_cell(client):
    comparison = sdnb.sweep("/nowhere", PROMPT, client=client, seed=[1, 2, 3], steps=1, **SMALL)

    assert sorted(comparison.errors) == [0, 1, 2]
    assert all(isinstance(error, UnknownName) for error in comparison.errors.values())


@pytest.mark.parametrize("error", [ImportError("no sdnb"), RuntimeError("no card")])
def test_a_worker_that_cannot_compute_is_said_at_its_cells(client, error):
    # given
    def break_loading():
        from sdnb.comparison import sweep

        def load(_recipe):
            raise error

        sweep.mended, sweep.load_again = sweep.load_again, load

    def mend_loading():
        from sdnb.comparison import sweep

        sweep.load_again = sweep.mended

    client.run(break_loading)

    # when
    comparison = sdnb.sweep("tiny", PROMPT, client=client, seed=[1, 2], steps=1, **SMALL)
    client.run(mend_loading)

    # then
    assert [str(each.__cause__) for each in comparison.errors.values()] == [str(error)] * 2
    with pytest.raises(SdnbError, match="a worker could not compute this cell: no"):
        comparison.at(seed=2)


def test_an_address_will_do_and_its_client_is_closed(client):
    before, address = list(client.cluster.scheduler.clients), client.scheduler.address

    comparison = sdnb.sweep("tiny", PROMPT, client=address, seed=[1, 2], steps=1, **SMALL)

    assert comparison.is_complete
    assert is_soon(lambda: list(client.cluster.scheduler.clients) == before)


def test_an_own_client_leaves_no_task_and_is_closed_where_a_sweep_is_left(client, one_by_one):
    # given
    before, address = list(client.cluster.scheduler.clients), client.scheduler.address
    plan = cross(GenerationRequest(seed=1, sampler="heun", batch_size=8), {"steps": [1, 1000]})

    # when
    rounds = Comparison(plan, Workers("tiny", address, "none")).rounds()
    next(rounds)
    rounds.close()

    # then
    assert is_soon(lambda: list(client.cluster.scheduler.clients) == before)
    assert is_soon(lambda: is_idle(client))


def test_without_a_client_processes_are_started_that_nobody_else_reaches(tiny, spawns, monkeypatch):
    psutil = pytest.importorskip("psutil")  # distributed brings it
    monkeypatch.setattr("distributed.deploy.local.CPU_COUNT", 1)  # one for each is dear
    plan = cross(GenerationRequest(prompt=PROMPT, steps=1, **SMALL), {"seed": [1, 2]})
    comparison = Comparison(plan, Workers("tiny", None, "none"))
    resource_tracker.ensure_running()  # Python's own: it outlives the processes that it helps
    me = psutil.Process()
    others = set(me.children(recursive=True))
    heard = {each.laddr for each in me.net_connections("tcp") if each.status == "LISTEN"}

    # when
    rounds = comparison.rounds()
    next(rounds)
    mine = [me, *(each for each in me.children(recursive=True) if each not in others)]
    listening = {
        each.laddr
        for process in mine
        for each in process.net_connections("tcp")
        if each.status == "LISTEN"
    }
    workers = len(mine) - 1
    for process in mine[1:]:
        process.send_signal(signal.SIGINT)  # as a notebook's interrupt does
    for _ in rounds:
        continue

    # then
    assert {address.ip for address in listening - heard} == {"127.0.0.1"}
    assert workers >= 1
    assert_as_alone(comparison, tiny)
    assert is_soon(lambda: not set(me.children(recursive=True)) - others)


def test_the_cells_of_a_killed_worker_are_computed_again(tiny, client, one_by_one):
    # given
    plan = cross(GenerationRequest(prompt=PROMPT, steps=4, **SMALL), {"seed": [1, 2, 3, 4, 5, 6]})
    comparison = Comparison(plan, Workers("tiny", client, "none"))
    victim, *_ = client.run(os.getpid).values()
    rounds = comparison.rounds()

    # when
    next(rounds)
    os.kill(victim, signal.SIGKILL)
    for _ in rounds:
        continue

    # then
    assert comparison.is_complete
    assert not comparison.errors
    assert_as_alone(comparison, tiny)
    assert is_soon(lambda: len(client.nthreads()) == 2)
    assert victim not in client.run(os.getpid).values()


def test_a_cell_that_kills_its_workers_leaves_the_others(tiny, client, monkeypatch):
    # given
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
    request = GenerationRequest(seed=7, steps=1, hooks=(HookUse.parse("text:deadly"),), **SMALL)

    # when
    comparison = sdnb.sweep("tiny", request, client=client, prompt=["a cat", "deadly", "a dog"])

    # then
    assert comparison.is_complete
    assert list(comparison.errors) == [1]
    with pytest.raises(SdnbError, match="were killed"):
        comparison.at(prompt="deadly")
    assert comparison.results[0] is not None
    assert comparison.results[2] is not None
    assert is_soon(lambda: len(client.nthreads()) == 2)


def test_functions_are_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr(sweeping, "connected", None)

    with pytest.raises(InvalidField, match="functions do not travel") as caught:
        sdnb.sweep("tiny", PROMPT, seed=[1, 2], hooks=Hooks(on_step=(print,)))
    assert caught.value.given == "step:print"


def test_where_dask_is_missing_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(SdnbError, match="not installed") as caught:
        sdnb.sweep("tiny", PROMPT, seed=[1, 2])
    assert "sdnb[dask]" in caught.value.fix


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_where_no_scheduler_answers_the_error_says_so(address):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(SdnbError, match="no scheduler answers"),
    ):
        sdnb.sweep("tiny", PROMPT, seed=[1, 2], client=address)


@pytest.mark.parametrize(
    ("cells", "workers", "sizes"),
    [(9, 2, [5, 4]), (20, 2, [5, 5, 5, 5]), (3, 8, [1, 1, 1]), (17, 0, [6, 6, 5]), (1, 1, [1])],
)
def test_workers_get_equal_shares(cells, workers, sizes):
    numbers = list(range(10, 10 + cells))

    parts = sweeping._parts(numbers, workers)

    assert list(map(len, parts)) == sizes
    assert [number for part in parts for number in part] == numbers
