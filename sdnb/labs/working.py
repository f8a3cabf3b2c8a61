"""A lab that computes: in one thread, so that every action returns at once, and `wait` waits."""

from traitlets import Any as AnyTrait
from traitlets import HasTraits

from sdnb.labs.prompt_facts import PromptFacts, read_prompt
from sdnb.labs.worker import Task, Worker, described
from sdnb.pipeline import Pipeline


class Working(HasTraits):
    """What all labs share that compute.

    Attributes
    ----------
    pipe : Pipeline
        What computes; others may use it too, and take turns.
    failure : SdnbError or None
        What ended the last action.
    """

    pipe = AnyTrait(None)
    failure = AnyTrait(None)

    def __init__(self, pipe: Pipeline) -> None:
        super().__init__()
        self.pipe = pipe
        self._worker = Worker(self._failed)

    def read(self, prompt: str) -> PromptFacts:
        """Count the tokens of a prompt, and find the words that the checkpoint does not know."""
        return read_prompt(self.pipe.components, prompt)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is computed; return whether it is so, or raise what failed.

        An interrupt ends the waiting, not the work.
        """
        is_done = self._worker.wait(seconds)
        if is_done and self.failure is not None:
            raise self.failure
        return is_done

    def _ask(self, task: Task) -> None:
        self.failure = None
        self._worker.submit(task)

    def _rest(self) -> None:
        """Stand at what there is: the last good picture stays."""
        raise NotImplementedError

    def _failed(self, error: Exception) -> None:
        self.failure = described(error)
        self._rest()
