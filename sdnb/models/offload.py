"""Networks that take turns on a device too small for all of them.

A part comes when it is asked, and those that were there leave; it stays until another is asked, so
that the U-Net comes once for all steps of a run. The VAE joins it for previews, and then stays
beside it: the room that decoding needs was needed once already.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

HOME = torch.device("cpu")
"""Where networks rest."""


@dataclass(frozen=True, eq=False)
class _Rest:
    """What a weight was before it came, and the count of writes to it then."""

    tensor: Tensor
    version: int


class Offload:
    """Who is on the device.

    Resting weights stay in the computer's memory while their copies compute: to leave costs
    nothing, unless somebody wrote to a copy meanwhile. Who asks a network by itself, as in a hook,
    lets it `join` first.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._there: WeakSet[nn.Module] = WeakSet()
        self._rests = WeakTensorKeyDictionary()

    def bring(self, *networks: nn.Module) -> bool:
        """Have networks on the device; return whether any had to move."""
        if all(network in self._there for network in networks):
            return False
        self._there.clear()  # none is whole while weights move, and an interrupt may end that
        staying = set(map(id, _weights(*networks)))
        for weight in list(self._rests):
            if id(weight) not in staying:
                self._leave(weight)
        for weight in _weights(*networks):
            self._come(weight)
        self._there.update(networks)
        return True

    def join(self, network: nn.Module) -> None:
        """Have a network on the device beside those that are there."""
        if network not in self._there:
            for weight in _weights(network):
                self._come(weight)
            self._there.add(network)

    def address(self, weight: Tensor) -> int:
        """Return where a weight is in memory, or for one on the device, where it will be again."""
        rest: _Rest | None = self._rests.get(weight)
        return (weight if rest is None else rest.tensor).data_ptr()

    def _come(self, weight: Tensor) -> None:
        rest = self._rests.get(weight)
        if rest is None:
            rest = _Rest(weight.data.to(HOME), weight._version)
            self._rests[weight] = rest
        if weight.data_ptr() == rest.tensor.data_ptr():
            weight.data = rest.tensor.to(self.device, copy=True)

    def _leave(self, weight: Tensor) -> None:
        rest: _Rest = self._rests[weight]
        if weight._version != rest.version:
            rest.tensor.copy_(weight.data)
        weight.data = rest.tensor
        del self._rests[weight]


def _weights(*networks: nn.Module) -> Iterator[Tensor]:
    for network in networks:
        yield from chain(network.parameters(), network.buffers())
