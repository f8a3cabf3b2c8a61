"""Where the words of a prompt look, word by word and step by step.

    lab = Attention(sdnb.load("tiny"))
    lab.draw(prompt="a red circle", steps=12)
    lab.wait()
    lab.words, lab.grids

A run that was not watched is drawn again, and stays the same result where that gives the same
picture. It does not for branches, second passes, runs that were interrupted, and functions that
were given as hooks, which nobody can repeat: then there is another picture to see.
"""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from traitlets import Any as AnyTrait
from traitlets import TraitType, observe

import sdnb.attention
from sdnb.errors import InvalidField, UnknownName
from sdnb.labs.grids import Grids, Row, fitted, unsigned_bytes
from sdnb.labs.lab import Lab, refused
from sdnb.request import GenerationRequest
from sdnb.result import Result

MOST = 8
"""Words that are chosen at first."""


class Attention(Lab):
    """The cross-attention of one run.

    Attributes
    ----------
    words : tuple of str
        All words of the prompt.
    chosen : tuple of str
        Those that are shown.
    grids : Grids or None
        A row of one tile for each chosen word; a frame for each step, and one for all together.
        A word's steps are scaled to the largest share in them, all together to their own; a
        frame's figure is its own largest share.
    """

    words = AnyTrait(())
    chosen = AnyTrait(())
    grids: "TraitType[Grids | None, Grids | None]" = AnyTrait(None)

    def open(self, result: Result) -> None:
        """Show a run, with its fields typed; one without attention is drawn again, watched."""
        self.form.fill(result.request)
        if result.attention is not None and result.images and len(result.trace.denoised):
            self._ask(partial(self._show, result))
        else:
            self.form.seed = result.seeds[0]
            request = self.form.request()
            if request is not None:
                self._compute(partial(self._draw_again, result, request))

    def choose(self, *words: str) -> None:
        """Show these words, in the order of the prompt. Raises `UnknownName`."""
        for word in words:
            UnknownName.check("word in this prompt", word, self.words)
        self.chosen = tuple(word for word in self.words if word in words)

    def _draw(self, request: GenerationRequest) -> None:
        drawn = self._watched(request)
        if drawn is not None:
            self._show(drawn)

    def _draw_again(self, result: Result, request: GenerationRequest) -> None:
        drawn = self._watched(request)
        if drawn is not None:
            is_same = _is_same(drawn, result)
            self._show(replace(result, attention=drawn.attention) if is_same else drawn)

    def _watched(self, request: GenerationRequest) -> Result | None:
        """Run a request to its end; None where it has no words, or something else is wanted."""
        if not request.prompt.strip():
            refused(_no_words(request.prompt), self.form, "prompt")
            self._rest()
            return None
        run = self.pipe.start(request, attention=True)
        return run.finish() if self._to_end([run]) else None

    def _show(self, result: Result) -> None:
        if result.attention is None or not (words := _words(result.attention)):
            refused(_no_words(result.request.prompt), self.form, "prompt")
            self._rest()
            return
        chosen = self.chosen if words == self.words else words[:MOST]
        self._show_result(
            result,
            film=self._reel.film(result),
            words=words,
            chosen=chosen,
            grids=_grids(result, chosen),
        )

    @observe("chosen")
    def _show_chosen(self, _change: object) -> None:
        shown = () if self.grids is None else tuple(row.name for row in self.grids.rows)
        if self.result is not None and shown != self.chosen:
            self.grids = _grids(self.result, self.chosen)


def _is_same(drawn: Result, result: Result) -> bool:
    """Tell whether a run of one image gave the first of a result, but for the last bits."""
    first, trace = result.latents[:1].float(), result.trace
    has_steps = len(trace.denoised) == drawn.trace.steps
    is_alike = has_steps and first.shape == drawn.latents.shape
    return is_alike and torch.allclose(drawn.latents.float(), first, atol=1e-3)


def _words(attention: "sdnb.attention.Attention") -> tuple[str, ...]:
    return tuple(dict.fromkeys(attention.words()))


def _grids(result: Result, words: tuple[str, ...]) -> Grids | None:
    if result.attention is None or not words:
        return None
    films = {word: _film(result.attention, word, result.trace.steps) for word in words}
    rows = tuple(_row(word, film, len(words)) for word, film in films.items())
    height, width = fitted(films[words[0]], len(words)).shape[-2:]
    return Grids(rows=rows, frames=result.trace.steps + 1, width=width, height=height)


def _film(attention: "sdnb.attention.Attention", word: str, steps: int) -> Tensor:
    """Return the shares of a word in every step, and those of all steps: [S + 1, 1, h, w].

    NaN in steps in which nobody asked with this text.
    """
    together = attention.shares(word)
    asked = attention.steps["cond"]
    nothing = torch.full_like(together, torch.nan)
    each = [attention.shares(word, step=s) if s in asked else nothing for s in range(steps)]
    return torch.stack([*each, together])[:, None]


def _row(word: str, film: Tensor, rows: int) -> Row:
    small = fitted(film, rows)
    peaks = [None if shares.isnan().any() else (float(shares.max()),) for shares in film]
    known = [peak[0] for peak in peaks[:-1] if peak is not None]
    limit, last = max(known, default=1.0) or 1.0, float(film[-1].max()) or 1.0
    data = unsigned_bytes(small[:-1], limit) + unsigned_bytes(small[-1:], last)
    return Row(name=word, tiles=1, limit=limit, figures=tuple(peaks), data=data)


def _no_words(prompt: str) -> InvalidField:
    return InvalidField(
        "there is no attention to draw: the prompt has no words.",
        given=prompt,
        allowed="a prompt with a word at least",
        fix="write one, such as a red circle",
    )
