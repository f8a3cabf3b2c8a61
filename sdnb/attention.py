"""Which places attend to the words of a prompt: the cross-attention of a run, as heat maps.

Data only. What gathers it inside the network is in `sdnb.models.attention`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from sdnb.conditioning import Token
from sdnb.errors import InvalidField, UnknownName
from sdnb.shapes import AttentionMap

WordMaps = Float[Tensor, "B K _h _w"]
"""For each image and text position, the share of a place's attention that goes there."""

APOSTROPHES = "'’"


@dataclass(frozen=True, eq=False, kw_only=True)
class Attention:
    """The cross-attention of a run, its heads averaged, on the CPU.

    The K text positions are the start mark, the pieces of the longest prompt and its end mark;
    what is missing to 1 went to the padding behind them. A branch whose text a hook changed on
    the way goes on under another name: ``"cond@7"`` from step 7 on.

    Parameters
    ----------
    tokens : mapping
        Branch -> the tokens of each image's prompt, without padding.
    steps : mapping
        Branch -> step -> mean over the layers and the step's evaluations, [B, K, ., .]; at most
        32 values along a side.
    layers : mapping
        Branch -> path in the U-Net -> mean over all evaluations, at the layer's own size.
    size : (int, int)
        Height h and width w of the latents.
    """

    tokens: Mapping[str, tuple[tuple[Token, ...], ...]]
    steps: Mapping[str, Mapping[int, WordMaps]]
    layers: Mapping[str, Mapping[str, WordMaps]]
    size: tuple[int, int]

    def words(self, branch: str = "cond", *, image: int = 0) -> tuple[str, ...]:
        """Return the words of a prompt in their order, punctuation left out."""
        return tuple(word for word, _ in self._words(branch, image))

    def map(  # noqa: PLR0913 - each narrows it further
        self,
        word: str | None = None,
        *,
        token: int | None = None,
        step: int | None = None,
        layer: str | None = None,
        branch: str = "cond",
        image: int = 0,
    ) -> AttentionMap:
        """Return where a word, or a text position, was attended to most: `shares` to a peak of 1.

        Returns
        -------
        Tensor [h, w]
            The shares, divided by their maximum.
        """
        shares = self.shares(word, token=token, step=step, layer=layer, branch=branch, image=image)
        return shares / shares.max().clamp(min=torch.finfo(shares.dtype).tiny)

    def shares(  # noqa: PLR0913 - each narrows it further
        self,
        word: str | None = None,
        *,
        token: int | None = None,
        step: int | None = None,
        layer: str | None = None,
        branch: str = "cond",
        image: int = 0,
    ) -> AttentionMap:
        """Return how much of each place's attention went to a word, or to a text position.

        Parameters
        ----------
        word : str
            A word of the prompt, or several that follow each other; all places where they
            stand are added up.
        token : int
            In place of a word: 0 is the start mark, -1 the end mark.
        step : int
            One step; else the mean of all.
        layer : str
            How the paths of the layers begin: ``"mid"``, ``"up_blocks.1"``; else all.

        Returns
        -------
        Tensor [h, w]
            0 … 1, at the size of the latents.

        Raises
        ------
        InvalidField, UnknownName
            For a word, step, layer, branch or image that is not there; lists what is.
        """
        columns = self._columns(word, token, branch, image)
        return self._maps(step, layer, branch)[image, columns].sum(0)

    def film(
        self, words: Sequence[str], steps: Sequence[int], *, branch: str = "cond", image: int = 0
    ) -> Float[Tensor, "W S h w"]:
        """Return the shares of some words in some steps; the errors are those of `shares`."""
        if not words or not steps:
            raise InvalidField(
                "a film shows a word and a step at least.",
                given=f"words {list(words)}, steps {list(steps)}",
                allowed=", ".join(self.words(branch, image=image)) or "a prompt with words",
                fix='film(["cat"], [0, 5, 10])',
            )
        rows = (
            [self.shares(word, step=step, branch=branch, image=image) for step in steps]
            for word in words
        )
        return torch.stack([torch.stack(row) for row in rows])

    def __repr__(self) -> str:
        texts = (f"{name}: {' '.join(self.words(name)) or 'no text'}" for name in self.tokens)
        return f"<Attention: {'; '.join(texts)}>"

    def _tokens(self, branch: str, image: int) -> tuple[Token, ...]:
        UnknownName.check("branch", branch, self.tokens)
        images = self.tokens[branch]
        if not 0 <= image < len(images):
            raise InvalidField(
                "there is no such image in this batch.",
                given=image,
                allowed=f"0 … {len(images) - 1}",
                fix="0 is the first",
            )
        return images[image]

    def _columns(self, word: str | None, token: int | None, branch: str, image: int) -> list[int]:
        tokens = self._tokens(branch, image)
        if (word is None) == (token is None):
            raise InvalidField(
                "a map is that of a word or of a text position.",
                given=f"word={word!r}, token={token!r}",
                allowed=", ".join(self.words(branch, image=image)) or "token=0, of an empty prompt",
                fix='map("cat") or map(token=3)',
            )
        if word is not None:
            return self._positions(word, branch, image)
        if token is None or not -len(tokens) <= token < len(tokens):
            raise InvalidField(
                "there is no such text position.",
                given=token,
                allowed=f"{-len(tokens)} … {len(tokens) - 1}",
                fix="token=0 is the start mark",
            )
        return [token % len(tokens)]

    def _positions(self, phrase: str, branch: str, image: int) -> list[int]:
        wanted, words = phrase.casefold().split(), self._words(branch, image)
        found = {
            position
            for first in range(len(words))
            if [word.casefold() for word, _ in words[first : first + len(wanted)]] == wanted
            for _, positions in words[first : first + len(wanted)]
            for position in positions
        }
        if not found:
            raise UnknownName.among("word in this prompt", phrase, self.words(branch, image=image))
        return sorted(found)

    def _words(self, branch: str, image: int) -> list[tuple[str, list[int]]]:
        """Join pieces to words: one that begins where the last ended goes on with its word."""
        words: list[tuple[str, list[int]]] = []
        end = -1
        for position, token in enumerate(self._tokens(branch, image)):
            start, stop = token.span
            is_text = any(character.isalnum() for character in token.piece)
            if not is_text and not (token.piece in tuple(APOSTROPHES) and start == end):
                continue  # a mark or punctuation: what follows begins a word
            if start <= end:
                # bytes of one character may be several pieces, each with the whole of it
                word, positions = words[-1]
                words[-1] = word + token.piece[end - start :], [*positions, position]
            else:
                words.append((token.piece, [position]))
            end = stop
        return [(word.rstrip(APOSTROPHES), positions) for word, positions in words]

    def _maps(self, step: int | None, layer: str | None, branch: str) -> WordMaps:
        if layer is None:
            return self._resized(_mean(self._of_steps(step, branch)))
        if step is not None:
            raise InvalidField(
                "a layer's maps are kept as the mean of all steps.",
                given=f"step={step}, layer={layer!r}",
                allowed="a step or a layer",
                fix="to see a layer in one step, tap it: sdnb.on_module(path, function)",
            )
        layers = self.layers[branch]
        chosen = [maps for path, maps in layers.items() if path.startswith(layer)]
        if not chosen:
            raise UnknownName.among("layer with cross-attention", layer, layers)
        return _mean([self._resized(maps) for maps in chosen])

    def _of_steps(self, step: int | None, branch: str) -> list[WordMaps]:
        steps = self.steps[branch]
        if step is None:
            return list(steps.values())
        if step not in steps:
            raise InvalidField(
                f"nothing was asked of the branch {branch} in this step.",
                given=step,
                allowed=f"{min(steps)} … {max(steps)}",
                fix=f"step={min(steps)}",
            )
        return [steps[step]]

    def _resized(self, maps: WordMaps) -> WordMaps:
        return interpolate(maps, self.size, mode="bilinear")


def _mean(maps: list[WordMaps]) -> WordMaps:
    return torch.stack(maps).mean(0)
