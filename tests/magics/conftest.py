"""A real IPython shell, and a pipeline that draws without a network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image
from traitlets.config import Config

from sdnb.events import Event, Hooks, StartEvent, StepEvent
from sdnb.intercept import apply_hooks
from sdnb.magics.extension import load_ipython_extension, unload_ipython_extension
from sdnb.magics.sd import SdMagics
from sdnb.magics.session import Session
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.trace import Trace

DRAWN_SEED = 1234


class FakeRun:
    """Steps that do nothing but call hooks."""

    def __init__(self, request: GenerationRequest, hooks: Hooks, interrupt_at: int | None) -> None:
        self.request, self.hooks, self.interrupt_at = request, hooks, interrupt_at
        self.done = 0
        self.cancelled = False

    def __iter__(self) -> Iterator[Event]:
        x = torch.zeros(self.request.batch_size, 4, 2, 2)
        yield apply_hooks(StartEvent(14.6, x), self.hooks.on_start)
        for index in range(self.request.steps):
            if index == self.interrupt_at:
                raise KeyboardInterrupt
            event = StepEvent(
                index=index,
                total=self.request.steps,
                sigma=14.6 / (index + 1),
                sigma_next=14.6 / (index + 2),
                x=x,
                denoised=x,
                x_next=x,
            )
            yield apply_hooks(event, self.hooks.on_step)
            self.done += 1

    def preview(self) -> list[Image.Image]:
        return [Image.new("RGB", (16, 16), "red")] * self.request.batch_size

    def cancel(self) -> None:
        self.cancelled = True

    def finish(self) -> Result:
        seed, batch_size = self.request.seed or 0, self.request.batch_size
        x = torch.zeros(batch_size, 4, 2, 2)
        return Result(
            request=self.request,
            latents=x,
            images=tuple(self.preview()),
            seeds=tuple(range(seed, seed + batch_size)),
            seconds=0.1,
            evaluations=self.done,
            interrupted=self.cancelled,
            notices=(),
            trace=Trace(
                (), torch.stack([x]), torch.zeros(self.done, *x.shape), (), (1,) * self.done
            ),
        )


@dataclass
class FakePipeline:
    """Remembers what it was asked."""

    reference: str = "tiny"
    runs: list[FakeRun] = field(default_factory=list)
    interrupt_at: int | None = None

    @property
    def request(self) -> GenerationRequest:
        """The last one."""
        return self.runs[-1].request

    def start(self, request: GenerationRequest, /, *, hooks: Hooks) -> FakeRun:
        seed = DRAWN_SEED if request.seed is None else request.seed
        resolved = request.changed(
            seed=seed, width=request.width or 16, height=request.height or 16
        )
        self.runs.append(FakeRun(resolved, hooks, self.interrupt_at))
        return self.runs[-1]

    def info(self) -> Mapping[str, str]:
        return {"checkpoint": self.reference, "parameters": "none"}


@dataclass
class Notebook:
    """A shell with the extension loaded, and what its cells showed."""

    shell: InteractiveShell
    magics: SdMagics
    pipelines: list[FakePipeline]
    published: CapturingDisplayPublisher

    @property
    def pipe(self) -> FakePipeline:
        return self.pipelines[-1]

    @property
    def session(self) -> Session:
        return self.magics.session

    @property
    def names(self) -> dict[str, object]:
        return self.shell.user_ns

    def run(self, cell: str) -> object:
        """Run a cell; raise what it raised, return its value."""
        outcome = self.shell.run_cell(cell, store_history=True)
        outcome.raise_error()
        return outcome.result

    @property
    def html(self) -> list[str]:
        """What was shown while cells ran, an empty text where it was taken away."""
        return [output["data"].get("text/html", "") for output in self.published.outputs]


@pytest.fixture(scope="session")
def bare_shell() -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    config.IPCompleter.use_jedi = False  # slow, and not what is tested
    yield InteractiveShell.instance(config=config, colors="nocolor")
    InteractiveShell.clear_instance()


@pytest.fixture
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SDNB_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def notebook(
    bare_shell: InteractiveShell, settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Notebook]:
    """Give a notebook whose pipelines are fakes; `notebook.pipe` is the last one loaded."""
    published = CapturingDisplayPublisher(shell=bare_shell)
    monkeypatch.setattr(bare_shell, "display_pub", published)
    bare_shell.user_ns.clear()  # what shell.reset does, without collecting all of torch's garbage
    bare_shell.init_user_ns()
    load_ipython_extension(bare_shell)
    magics = bare_shell.magics_manager.registry["SdMagics"]
    pipelines: list[FakePipeline] = []

    def load(reference: str) -> FakePipeline:
        pipelines.append(FakePipeline(reference))
        return pipelines[-1]

    magics.session = Session(load)
    yield Notebook(bare_shell, magics, pipelines, published)
    unload_ipython_extension(bare_shell)


@pytest.fixture
def real(notebook: Notebook, tiny: Pipeline) -> Notebook:
    """Give a notebook whose `tiny` is the real one, and draws small."""
    notebook.session._load = {"tiny": tiny}.__getitem__
    notebook.run("%sd set --size 32x32 --cfg 1")
    return notebook
