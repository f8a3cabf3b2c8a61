"""Where the words of a prompt looked: the cross-attention of a run, as heat maps.

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


@dataclass(frozen=True, eq=False, kw_only=True)
class Attention:
    """The cross-attention of a run, its heads averaged, on the CPU.

    The K text positions are the start mark, the pieces of the prompt and the end mark; what is
    missing to 1 went to the padding behind them. A branch whose text a hook changed on the way
    goes on under another name: ``"cond@7"`` from step 7 on.

    Parameters
    ----------
    tokens : mapping
        Branch -> the K tokens.
    steps : mapping
        Branch -> step -> mean over the layers and the step's evaluations, [B, K, ., .].
    layers : mapping
        Branch -> path in the U-Net -> mean over all evaluations, at the layer's own size.
    size : (int, int)
        Height h and width w of the latents.
    """

    tokens: Mapping[str, tuple[Token, ...]]
    steps: Mapping[str, Mapping[int, WordMaps]]
    layers: Mapping[str, Mapping[str, WordMaps]]
    size: tuple[int, int]

    def words(self, branch: str = "cond") -> tuple[str, ...]:
        """Return the words of a branch's prompt, in their order."""
        return tuple(word for word, _ in self._words(branch))

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
        """Return where a word, or a text position, was attended to.

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
            At the size of the latents, divided by its maximum.

        Raises
        ------
        InvalidField, UnknownName
            For a word, step, layer, branch or image that is not there; lists what is.
        """
        UnknownName.check("branch", branch, self.tokens)
        columns = self._columns(word, token, branch)
        maps = self._maps(step, layer, branch)
        if not 0 <= image < len(maps):
            raise InvalidField(
                "there is no such image.", given=image, allowed=f"0 … {len(maps) - 1}"
            )
        shares = maps[image, columns].sum(0)
        return shares / shares.max().clamp(min=torch.finfo(shares.dtype).tiny)

    def film(
        self, words: Sequence[str], steps: Sequence[int], *, branch: str = "cond", image: int = 0
    ) -> Float[Tensor, "W S h w"]:
        """Return the maps of some words in some steps; the errors are those of `map`."""
        rows = (
            [self.map(word, step=step, branch=branch, image=image) for step in steps]
            for word in words
        )
        return torch.stack([torch.stack(row) for row in rows])

    def __repr__(self) -> str:
        texts = (f"{name}: {' '.join(self.words(name)) or 'no text'}" for name in self.tokens)
        return f"<Attention: {'; '.join(texts)}>"

    def _columns(self, word: str | None, token: int | None, branch: str) -> list[int]:
        if (word is None) == (token is None):
            raise InvalidField(
                "a map is that of a word or of a text position.",
                given=f"word={word!r}, token={token!r}",
                allowed=", ".join(self.words(branch)) or "token=0: the prompt is empty",
                fix='map("cat") or map(token=3)',
            )
        if word is not None:
            return self._positions(word, branch)
        count = len(self.tokens[branch])
        if token is None or not -count <= token < count:
            raise InvalidField(
                "there is no such text position.", given=token, allowed=f"{-count} … {count - 1}"
            )
        return [token % count]

    def _positions(self, phrase: str, branch: str) -> list[int]:
        wanted, words = phrase.lower().split(), self._words(branch)
        found = [
            position
            for first in range(len(words))
            if [word for word, _ in words[first : first + len(wanted)]] == wanted
            for _, positions in words[first : first + len(wanted)]
            for position in positions
        ]
        if not found:
            raise UnknownName.among("word of this prompt", phrase, self.words(branch))
        return found

    def _words(self, branch: str) -> list[tuple[str, list[int]]]:
        """Join pieces to words: a piece goes on where the one before it ends."""
        UnknownName.check("branch", branch, self.tokens)
        words: list[tuple[str, list[int]]] = []
        end, is_whole = -1, True
        for position, token in enumerate(self.tokens[branch]):
            if token.span == (0, 0):
                continue
            text = token.text.removesuffix("</w>")
            if not is_whole and token.span[0] == end:
                word, positions = words[-1]
                words[-1] = word + text, [*positions, position]
            else:
                words.append((text, [position]))
            end, is_whole = token.span[1], token.text.endswith("</w>")
        return words

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
            )
        return [steps[step]]

    def _resized(self, maps: WordMaps) -> WordMaps:
        return interpolate(maps, self.size, mode="bilinear")


def _mean(maps: list[WordMaps]) -> WordMaps:
    return torch.stack(maps).mean(0)
