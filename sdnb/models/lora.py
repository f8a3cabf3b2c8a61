"""LoRAs on networks: merged weights that are worn for a call, and taken off again.

A merged network computes what diffusers' side branches do, at no cost within the call. Its own
weights are left alone: others stand in their place meanwhile. Files are read in
`sdnb.models.lora_file`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from weakref import ref

import torch
from torch import nn

from sdnb.lora import Lora
from sdnb.models.lora_file import Factors, hash_lora, locate_lora, read_lora
from sdnb.models.lora_names import Layer, Network, Networks
from sdnb.models.named_files import NamedFiles

FILES = 8
"""How many LoRAs stay in memory: those used last."""

BUDGET = 1e9
"""Bytes of merged weights that are kept, beside those that were merged last."""

Shares = tuple[tuple[Lora, float], ...]
"""How much of each LoRA some networks take."""


class Adapters:
    """The LoRAs of one checkpoint.

    They are merged when a call needs them, and kept until the runs that wear some have ended: a
    run merges once.
    Lanes with different LoRAs do so too, until they need more than `BUDGET`; then they merge
    again for each call, which takes about as long as the call.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._files = NamedFiles[Lora, Mapping[Layer, Factors]](
            "LoRA",
            locate_lora,
            partial(read_lora, networks=networks),
            limit=FILES,
            take_hash=hash_lora,
        )
        self._merged: dict[tuple[tuple[str, ...], Shares], _Merged] = {}
        self._wearers: set[ref[object]] = set()

    def serve(self, wearer: object) -> None:
        """Keep what is merged for as long as somebody may want it: until `dismiss`, or its end."""
        self._wearers.add(ref(wearer, self._let_go))

    def dismiss(self, wearer: object) -> None:
        """Forget somebody who was served; with the last of them the merged weights go."""
        if ref(wearer) in self._wearers:
            self._let_go(ref(wearer))

    def forget(self) -> None:
        """Let what is merged go; who needs it again merges it again."""
        self._merged = {}  # another one: this may happen in any thread, at any time

    def _let_go(self, wearer: "ref[object]") -> None:
        self._wearers.discard(wearer)
        if not self._wearers:
            self.forget()

    def resolved(self, loras: Sequence[Lora]) -> tuple[Lora, ...]:
        """Read LoRAs and return them with their hashes.

        Raises `LoadError` for one that is missing, broken or made for other networks, and for
        one that is not the file any more that its hash was taken of.
        """
        self._files.hold(len(loras))
        return tuple(map(self._files.resolved, loras))

    def in_unet(self, loras: Sequence[Lora]) -> AbstractContextManager[None]:
        """Let the U-Net wear resolved LoRAs inside a block."""
        return self._worn(("unet",), tuple((lora, lora.weight) for lora in loras))

    def in_text(self, loras: Sequence[Lora]) -> AbstractContextManager[None]:
        """Let the text encoders wear resolved LoRAs inside a block."""
        encoders = tuple(name for name in self._networks if name != "unet")
        return self._worn(encoders, tuple((lora, lora.weights[1]) for lora in loras))

    def _worn(self, networks: tuple[str, ...], shares: Shares) -> AbstractContextManager[None]:
        shares = tuple((lora, share) for lora, share in shares if share)
        return self._merged_into(networks, shares) if shares else nullcontext()

    @contextmanager
    def _merged_into(self, networks: tuple[str, ...], shares: Shares) -> Iterator[None]:
        merged = self._merged.pop((networks, shares), None)
        if merged is None or not merged.is_fresh:
            merged = None
            while sum(each.size for each in self._merged.values()) > BUDGET:
                del self._merged[next(iter(self._merged))]
            merged = self._merge(networks, shares)
        self._merged[networks, shares] = merged
        with merged.worn():
            yield

    def _merge(self, networks: tuple[str, ...], shares: Shares) -> "_Merged":
        changes: dict[Layer, list[tuple[Factors, float]]] = defaultdict(list)
        for lora, share in shares:
            for layer, factors in self._files.of(lora).items():
                if layer[0] in networks:
                    changes[layer].append((factors, share))
        modules = [self._networks[network].get_submodule(path) for network, path in changes]
        layers = zip(modules, changes.values(), strict=True)
        return _Merged(tuple(_Layer.of(module, each) for module, each in layers))


@dataclass(frozen=True, eq=False)
class _Layer:
    """A module with two weights: its own, as it was when they were merged, and the merged one."""

    module: Network
    own: nn.Parameter
    merged: nn.Parameter
    state: tuple[int, int]

    @classmethod
    def of(cls, module: Network, changes: Sequence[tuple[Factors, float]]) -> "_Layer":
        own: nn.Parameter = module.weight
        weight = own.detach().float()
        for factors, share in changes:
            weight = weight + share * factors.change(own)
        merged = torch.empty_like(own).copy_(weight)  # of its dtype and memory format
        return cls(module, own, nn.Parameter(merged, requires_grad=False), _state(own))

    def wear(self, weight: nn.Parameter) -> None:
        # as module.weight = weight, whose checks take longer than a network's smallest layers
        self.module._parameters["weight"] = weight


def _state(weight: nn.Parameter) -> tuple[int, int]:
    """Return what changes when a weight is moved, or written to."""
    return weight.data_ptr(), weight._version


@dataclass(frozen=True, eq=False)
class _Merged:
    layers: tuple[_Layer, ...]

    @property
    def size(self) -> int:
        """Bytes of the merged weights."""
        return sum(layer.merged.nbytes for layer in self.layers)

    @property
    def is_fresh(self) -> bool:
        """Whether the networks' own weights are what they were when they were merged."""
        return all(
            layer.module.weight is layer.own and _state(layer.own) == layer.state
            for layer in self.layers
        )

    @contextmanager
    def worn(self) -> Iterator[None]:
        try:
            for layer in self.layers:
                layer.wear(layer.merged)
            yield
        finally:
            self._take_off()

    def _take_off(self) -> None:
        try:
            for layer in self.layers:
                layer.wear(layer.own)
        except BaseException:  # an interrupt must not leave a part of it on
            self._take_off()
            raise
