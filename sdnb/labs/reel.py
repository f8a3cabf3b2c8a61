"""The film of a finished run: sketched at once, decoded where somebody looks longer."""

from PIL.Image import Image

from sdnb.labs.seen import Film, film_of
from sdnb.labs.sketch import Sketch
from sdnb.pipeline import Pipeline
from sdnb.result import Result


class Reel:
    """The estimates of one run after the other."""

    def __init__(self, pipe: Pipeline) -> None:
        self._pipe = pipe
        self._sketch = Sketch(pipe.components.latent.factor)
        self._frames: dict[int, Image] = {}
        self._result: Result | None = None
        self._index = 0

    def film(self, result: Result, index: int = 0) -> Film | None:
        """Take a result in; draw the film of an image of its batch, None without a step."""
        self._result, self._index, self._frames = result, index, {}
        if not result.images or not len(result.trace.denoised):
            return None
        self._sketch.learn(result.latents[index : index + 1], [result.images[index]])
        if not result.interrupted:
            self._frames = {result.trace.steps - 1: result.images[index]}
        return film_of(result.trace, self._sketch, self._frames, image=index)

    def frame(self, step: int) -> Image | None:
        """Decode a frame of the film; None for one that it has not."""
        if self._result is None or not 0 <= step < self._result.trace.steps:
            return None
        if step not in self._frames:
            row = slice(self._index, self._index + 1)
            (self._frames[step],) = self._pipe.decode(self._result.trace.denoised[step, row])
        return self._frames[step]
