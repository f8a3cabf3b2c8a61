"""What text encoders made of texts before: each text goes through them once.

How a text is encoded is in `sdnb.models.text`.
"""

from collections.abc import Callable, Hashable, Sequence

from torch import Tensor, nn

from sdnb.conditioning import Conditioning

BUDGET = 64e6
"""Bytes of vectors that are kept: of SD1 some 270 chunks of text, of SDXL 100."""

State = tuple[tuple[int, int], ...]


class EncodedTexts:
    """The texts that a checkpoint's encoders were asked last.

    They are forgotten when a weight of the encoders is written to or replaced. What is written
    through ``weight.data``, or a NumPy array of it, PyTorch does not count: `clear` after that.
    Encoders with hooks are asked each time: the hooks want to be called. ``address`` tells where a
    weight is.
    """

    def __init__(
        self, networks: Sequence[nn.Module], address: Callable[[Tensor], int] = Tensor.data_ptr
    ) -> None:
        self._networks = networks
        self._address = address
        self._kept: dict[Hashable, Conditioning] = {}
        self._state: State = ()

    def clear(self) -> None:
        """Forget all texts: ``pipe.components.encoded.clear()`` after a write by ``.data``."""
        self._kept.clear()

    def of(self, asked: Hashable, encode: Callable[[], Conditioning]) -> Conditioning:
        """Return what was made of a text, or else ask for it; not to be written to.

        ``asked`` is all that decides the answer beside the encoders' weights.
        """
        if any(map(_is_hooked, self._networks)):
            return encode()
        weights = (weight for network in self._networks for weight in network.parameters())
        state = tuple((self._address(weight), weight._version) for weight in weights)
        if state != self._state:
            self._kept.clear()
            self._state = state
        found = self._kept.pop(asked, None)
        kept = encode() if found is None else found
        self._kept[asked] = kept
        while sum(map(_size, self._kept.values())) > BUDGET:
            del self._kept[next(iter(self._kept))]
        return kept


def _is_hooked(network: nn.Module) -> bool:
    """Whether somebody looks inside; transformers does so itself, to collect hidden states."""
    return any(
        not str(getattr(hook, "__module__", "")).startswith("transformers.")
        for module in network.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    )


def _size(cond: Conditioning) -> int:
    return cond.embeds.nbytes + (0 if cond.pooled is None else cond.pooled.nbytes)
