"""A comparison's cells on other processes and machines, by Dask.

Requests travel as plain values, results as data. A worker is a process with sdnb and the
checkpoint, however its cluster starts it; it loads the checkpoint once, and computes the cells
of a task side by side, as `sdnb.comparison.engine.Lockstep` does here.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass, field
from importlib import import_module
from math import ceil
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sdnb.comparison.cluster import connected
from sdnb.comparison.compare import Comparison, computed
from sdnb.comparison.engine import Lockstep, Progress
from sdnb.comparison.plan import NO_HOOKS, Cell, label, plan_fields
from sdnb.errors import InvalidField, SdnbError
from sdnb.models.loading import load_again
from sdnb.models.recipe import Recipe
from sdnb.pipeline import Pipeline, load
from sdnb.request import JSON, GenerationRequest
from sdnb.run import Run

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

MOST_CELLS = 8
"""Of a task: results come task by task, and a killed worker's task is computed again."""


def sweep(
    pipe: Pipeline | str,
    request: GenerationRequest | str = "",
    *,
    client: "Client | str | None" = None,
    zipped: bool = False,
    keep: str = "none",
    **fields: Any,
) -> Comparison:
    """Run a comparison on a Dask cluster: `sdnb.compare`, past one process.

        sdnb.sweep("tiny", "a red circle", sampler=["ddim", "heun"], cfg_scale=[1, 2, 4, 8])

    Each worker loads the checkpoint once; results fill the grid as they come. What a killed
    worker had not handed over is computed again by another.

    Parameters
    ----------
    pipe : Pipeline or str
        The checkpoint's reference, or a pipeline: workers load their own, with the same VAE,
        swapped parts, device and dtype (None: each the best it has), but none compiled.
    request : GenerationRequest or str
        A request, or its prompt.
    client : distributed.Client or str, optional
        A cluster's client, or its scheduler's address: ``"tcp://10.0.0.1:8786"``. Workers need
        sdnb and the checkpoint. Without one a cluster of one process per core is started on
        this machine (one, if it has a GPU), listening on 127.0.0.1 only, and ended with the
        sweep; a script that does this begins with ``if __name__ == "__main__":``.
    zipped : bool
        As in `sdnb.compare`.
    keep : str
        What traces keep, as in `Pipeline.start`: all of it travels from the workers.
    **fields
        As in `sdnb.compare`; hooks by name only, as a request's ``hooks``.

    Returns
    -------
    Comparison
        After an interrupt with what there is, and no task goes on: ``resume()`` computes the
        rest. A cell that fails leaves the others.

    Raises
    ------
    InvalidField
        For hooks that are functions.
    SdnbError
        Where Dask is not installed, or no scheduler answers.
    """
    plan = plan_fields(request, fields, zipped=zipped)
    return computed(Comparison(plan, Workers(pipe, client, keep)))


def _check_plain(cell: Cell) -> None:
    if cell.hooks != NO_HOOKS:
        raise InvalidField(
            "functions do not travel to the workers of a sweep.",
            given=label(cell.hooks),
            allowed="registered hooks, by name in the request",
            fix='GenerationRequest(hooks=[HookUse.parse("model:guidance_interval")])',
        )


class Workers:
    """Computes cells on a cluster; its parameters are those of `sweep`.

    Attributes
    ----------
    runs : mapping
        Empty: runs on other machines cannot be looked at.
    """

    def __init__(self, pipe: Pipeline | str, client: "Client | str | None", keep: str) -> None:
        self.runs: Mapping[int, Run] = {}
        self._pipe = pipe
        self._client = client
        recipe = Recipe(reference=pipe) if isinstance(pipe, str) else pipe.components.recipe
        self._job = (uuid4().hex, asdict(recipe), keep)

    def pipeline(self) -> Pipeline:
        """Give the checkpoint in this process, loaded when something asks for it."""
        if isinstance(self._pipe, str):
            self._pipe = load(self._pipe)
        return self._pipe

    def rounds(self, cells: Mapping[int, Cell]) -> Generator[Progress, None, None]:
        """Compute cells; whoever stops iterating cancels what has not ended."""
        if not cells:
            return
        for cell in cells.values():
            _check_plain(cell)
        with connected(self._client) as client:
            suspects: list[int] = []
            parts = _parts(list(cells), len(client.nthreads()))
            for numbers, news in self._tasks(client, cells, parts):
                if news is None:
                    suspects += numbers
                else:
                    yield from news
            # one of these kills its workers: computed one at a time, it shows which
            for number in suspects:
                for _, news in self._tasks(client, cells, [[number]]):
                    yield from [Progress(failed={number: _killed()})] if news is None else news

    def _tasks(
        self, client: "Client", cells: Mapping[int, Cell], parts: Sequence[Sequence[int]]
    ) -> Iterator[tuple[Sequence[int], list[Progress] | None]]:
        """Give what is new of each part, as they end; None where its workers were killed."""
        from distributed import as_completed

        tasks: dict[Future[list[Progress]], Sequence[int]] = {}
        try:
            for numbers in parts:
                requests = {number: cells[number].request.to_json() for number in numbers}
                # by value: a scheduler reads what passes, and needs no sdnb, nor loads torch
                task = client.submit(
                    lambda *asked: import_module("sdnb.comparison.sweep").compute_cells(*asked),
                    *self._job,
                    requests,
                    key=f"sdnb-{uuid4().hex}",
                )
                tasks[task] = numbers
            for task in as_completed(list(tasks), loop=client.loop):
                news = _news(task, tasks[task])
                task.release()  # a worker keeps what somebody may still want
                yield tasks.pop(task), news
        finally:
            client.cancel(list(tasks))


def _news(task: "Future[list[Progress]]", numbers: Sequence[int]) -> list[Progress] | None:
    """Fetch what a task gave: an error ends all its cells, a cancelled one leaves them open."""
    from distributed import KilledWorker

    try:
        return task.result()
    except KilledWorker:
        return None
    except CancelledError:
        return []
    except SdnbError as error:
        return [Progress(failed=dict.fromkeys(numbers, error))]
    except Exception as error:  # whatever a worker's own sdnb, or what it lacks, may raise
        return [Progress(failed=dict.fromkeys(numbers, _broken(error)))]


@dataclass
class Held:
    """A worker's one pipeline, and whose it is: a later sweep may find another checkpoint there."""

    lock: Lock = field(default_factory=Lock)
    job: str = ""
    pipe: Pipeline | None = None

    def pipeline(self, job: str, recipe: Recipe) -> Pipeline:
        """Return the job's pipeline, loaded at its first task."""
        with self.lock:
            if self.pipe is None or self.job != job:
                self.pipe = None  # two checkpoints may be too large for the memory
                self.pipe, self.job = Pipeline(load_again(recipe)), job
            return self.pipe


def compute_cells(
    job: str, how: Mapping[str, Any], keep: str, requests: Mapping[int, JSON]
) -> list[Progress]:
    """Compute requests side by side, on a worker; a cancelled task ends between two rounds.

    Parameters
    ----------
    job : str
        Tells sweeps apart.
    how : mapping
        The fields of a `Recipe`.
    """
    from distributed import Reschedule, get_worker

    worker: Worker = get_worker()
    held: Held = vars(worker).setdefault("sdnb", Held())
    task = worker.get_current_task()
    cells, refused = _read(requests)
    news = [Progress(failed=refused)] if refused else []
    for each in Lockstep(held.pipeline(job, Recipe(**how)), keep).rounds(cells):
        if worker.state.tasks[task].state == "cancelled":
            raise Reschedule  # nobody waits for it; if somebody does again, another begins it
        news.append(each)
    return news


def _read(requests: Mapping[int, JSON]) -> tuple[dict[int, Cell], dict[int, SdnbError]]:
    """Return the cells of requests, and the errors of those that mean nothing here."""
    cells: dict[int, Cell] = {}
    refused: dict[int, SdnbError] = {}
    for number, values in requests.items():
        try:
            cells[number] = Cell(labels=(), request=GenerationRequest.from_json(values))
        except SdnbError as error:
            refused[number] = error
    return cells, refused


def _parts(numbers: Sequence[int], workers: int) -> list[Sequence[int]]:
    """Cut cells into equally many tasks for each worker, of `MOST_CELLS` at most.

    ``workers`` may be 0: some clusters grow when there is something to do.
    """
    turns = ceil(len(numbers) / (max(1, workers) * MOST_CELLS))
    size = ceil(len(numbers) / (max(1, workers) * turns))
    return [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]


def _broken(error: Exception) -> SdnbError:
    refusal = SdnbError(
        f"a worker could not compute this cell: {error}",
        given=type(error).__name__,
        allowed="workers with the same sdnb as here, and room for the checkpoint",
        fix="look into the worker's log",
    )
    refusal.__cause__ = error
    return refusal


def _killed() -> SdnbError:
    return SdnbError(
        "the workers that computed this cell were killed, one after another.",
        allowed="what fits into the memory of a worker",
        fix="give workers more memory, or ask for fewer or smaller images",
    )
