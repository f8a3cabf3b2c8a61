"""What gathers the attention of a run inside the network.

The network computes its answer as always; beside it, each cross-attention layer's shares are
worked out from the layer's own queries and keys, and added up on the device. What comes
out is `sdnb.attention.Attention`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
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

LARGEST = 32
"""Longer side, at most, of the maps that are kept for each step."""

LayerMaps = Float[Tensor, "R K _h _w"]
Inputs = tuple[Tensor, ...]


class AttentionRecorder:
    """Sums of attention maps, on the device until `attention` is called.

    For an image of 512x512, a branch and 20 text positions they take 2 MB for all layers of
    Stable Diffusion 1.5, and 80 KB for each step.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._tokens: dict[str, tuple[tuple[Token, ...], ...]] = {}
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
        lengths = [cond.embeds.shape[1] for cond in question.branches.values()]
        seen: dict[str, dict[str, LayerMaps]] = {name: {} for name in names}

        def see(path: str, shares: Float[Tensor, "R N L"]) -> None:
            for (name, rows), length in zip(names.items(), lengths, strict=True):
                own = shares[rows].unflatten(-1, (-1, length)).sum(-2)  # a short text comes twice
                kept = own[..., : max(map(len, self._tokens[name]))]
                seen[name][path] = kept.mT.unflatten(-1, _grid(shares.shape[1], self._size))

        with ExitStack() as stack:
            for path, layer in cross_attention_layers(network):
                stack.enter_context(watching(layer, partial(see, path)))
            yield
        for name, maps in seen.items():
            self._add(name, maps, index)

    def attention(self) -> Attention | None:
        """Return the means of what was gathered, on the CPU; None if nothing was asked."""
        if not self._steps:
            return None
        counts = {name: sum(asked.values()) for name, asked in self._asked.items()}
        return Attention(
            tokens={name: self._tokens[name] for name in self._steps},
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
        tokens = tuple(map(_without_padding, cond.tokens))
        names = [key for key in self._tokens if key == branch or key.startswith(f"{branch}@")]
        known = next((key for key in names if self._tokens[key] == tokens), None)
        name = known or (f"{branch}@{index}" if names else branch)
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


@contextmanager
def watching(layer: Network, see: Callable[[Tensor], None]) -> Iterator[None]:
    """Call ``see`` with a layer's shares, [R, N, L], each time it has been computed.

    They are worked out from the queries and keys that the layer itself computed, averaged over
    its heads.
    """
    projected: dict[str, Tensor] = {}

    def note(name: str, _module: Network, _inputs: Inputs, output: Tensor) -> None:
        projected[name] = output

    def tell(_module: Network, _inputs: Inputs, _output: Tensor) -> None:
        with torch.no_grad():
            queries, keys = (layer.head_to_batch_dim(projected[name]) for name in ("to_q", "to_k"))
            shares = layer.get_attention_scores(queries, keys)
        see(shares.unflatten(0, (-1, layer.heads)).float().mean(1))

    with ExitStack() as stack:
        for name in ("to_q", "to_k"):
            handle = getattr(layer, name).register_forward_hook(partial(note, name))
            stack.callback(handle.remove)
        stack.callback(layer.register_forward_hook(tell).remove)
        yield


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
    """Return the tokens up to the mark behind the last piece of text.

    Of a prompt in several chunks the marks and padding between them are kept.
    """
    last = max((i for i, token in enumerate(tokens) if token.span != (0, 0)), default=0)
    return tokens[: last + 2]
