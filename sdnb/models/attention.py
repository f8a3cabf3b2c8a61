"""What gathers the attention of a run inside the network.

The network computes its answer as always; beside it, each cross-attention layer's shares are
worked out once more from the layer's own projections and added up on the device. What comes
out is `sdnb.attention.Attention`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from sdnb.attention import Attention, WordMaps
from sdnb.conditioning import Conditioning, Token
from sdnb.models.components import Network
from sdnb.models.denoiser import Question
from sdnb.shapes import Embeds

LARGEST = 32
"""Longer side, at most, of the maps that are kept for each step."""

LayerMaps = Float[Tensor, "R K _h _w"]
Inputs = tuple[Tensor, ...]
Named = Mapping[str, Tensor]


class AttentionRecorder:
    """Sums of attention maps, a few MB an image, on the device until `attention` is called."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._tokens: dict[str, tuple[Token, ...]] = {}
        self._layers: dict[str, dict[str, Tensor]] = defaultdict(dict)
        self._steps: dict[str, dict[int, Tensor]] = defaultdict(dict)
        self._asked: dict[str, dict[int, int]] = defaultdict(dict)

    @contextmanager
    def watch(self, network: Network, question: Question, *, index: int) -> Iterator[None]:
        """Gather what the network attends to while it answers a question of step ``index``."""
        self._size = (question.x.shape[-2], question.x.shape[-1])
        names = {
            self._name(branch, cond, index): rows
            for (branch, cond), rows in zip(
                question.branches.items(), question.rows.values(), strict=True
            )
        }
        columns = max(len(self._tokens[name]) for name in names)
        seen: dict[str, LayerMaps] = {}

        def see(path: str, layer: Network, inputs: Inputs, named: Named, _output: Tensor) -> None:
            shares = _shares(layer, inputs[0], named["encoder_hidden_states"])[..., :columns]
            seen[path] = shares.mT.unflatten(-1, _grid(shares.shape[1], self._size))

        with ExitStack() as stack:
            for path, layer in cross_attention_layers(network):
                handle = layer.register_forward_hook(partial(see, path), with_kwargs=True)
                stack.callback(handle.remove)
            yield
        for name, rows in names.items():
            kept = len(self._tokens[name])
            self._add(name, {path: maps[rows, :kept] for path, maps in seen.items()}, index)

    def attention(self) -> Attention | None:
        """Return the means of what was gathered, on the CPU; None if nothing was asked."""
        if not self._tokens:
            return None
        counts = {name: sum(asked.values()) for name, asked in self._asked.items()}
        return Attention(
            tokens=dict(self._tokens),
            steps={
                name: {
                    index: (total / self._asked[name][index]).cpu()
                    for index, total in steps.items()
                }
                for name, steps in self._steps.items()
            },
            layers={
                name: {path: (total / counts[name]).cpu() for path, total in layers.items()}
                for name, layers in self._layers.items()
            },
            size=self._size,
        )

    def _name(self, branch: str, cond: Conditioning, index: int) -> str:
        """Return the branch's name, or a new one where its text is not what it was."""
        tokens = _without_padding(cond.tokens[0])
        name = branch
        if self._tokens.setdefault(name, tokens) != tokens:
            known = (key for key, held in self._tokens.items() if held == tokens)
            name = next((key for key in known if key.startswith(branch)), f"{branch}@{index}")
            self._tokens[name] = tokens
        return name

    def _add(self, name: str, layers: Mapping[str, LayerMaps], index: int) -> None:
        by_size: dict[tuple[int, ...], list[WordMaps]] = defaultdict(list)
        for path, maps in layers.items():
            held = self._layers[name]
            held[path] = held[path] + maps if path in held else maps
            by_size[maps.shape[-2:]].append(maps)
        common = _common_size(self._size)
        sums = [_resized(torch.stack(maps).sum(0), common) for maps in by_size.values()]
        total = torch.stack(sums).sum(0) / len(layers)
        steps, asked = self._steps[name], self._asked[name]
        steps[index] = steps[index] + total if index in steps else total
        asked[index] = asked.get(index, 0) + 1


def cross_attention_layers(network: Network) -> list[tuple[str, Network]]:
    """Return the paths (without ``.attn2``) and layers through which a U-Net reads text."""
    return [
        (path.removesuffix(".attn2"), layer)
        for path, layer in network.named_modules()
        if path.endswith(".attn2")
    ]


# diffusers' attention layers are untyped.
def _shares(layer: Network, hidden: Tensor, embeds: Embeds) -> Float[Tensor, "R N L"]:
    """Return the attention of each of N places to each text position, averaged over heads."""
    if layer.norm_cross:
        embeds = layer.norm_encoder_hidden_states(embeds)
    with torch.no_grad():
        queries = layer.head_to_batch_dim(layer.to_q(hidden))
        keys = layer.head_to_batch_dim(layer.to_k(embeds))
        shares: Tensor = layer.get_attention_scores(queries, keys)
    by_head: Tensor = shares.unflatten(0, (-1, layer.heads))
    return by_head.float().mean(1)


def _resized(maps: WordMaps, size: tuple[int, int]) -> WordMaps:
    return interpolate(maps, size, mode="bilinear", antialias=True)


def _grid(places: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of a layer with so many places: the latents', halved."""
    height, width = size
    while height * width > places:
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def _common_size(size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    while max(height, width) > LARGEST:
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def _without_padding(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return the tokens up to the mark behind the last piece of text."""
    last = max((i for i, token in enumerate(tokens) if token.span != (0, 0)), default=0)
    return tokens[: last + 2]
