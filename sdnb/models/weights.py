"""Tensors of a weights file, by name; read one at a time, so that no file is held twice.

Only safetensors are read. A pickle can run whatever its maker wanted; it is read where that was
asked for, and then nothing but tensors comes out of it.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sdnb.errors import LoadError, reason_of
from sdnb.models.families.family import Shapes
from sdnb.models.original_names import Source, Sources

PICKLES = (".ckpt", ".pt", ".pth", ".bin")

INDEX = ".safetensors.index.json"
"""How the index of weights that lie in several files ends."""

WITHIN = ("state_dict", "string_to_param")
"""Where pickles of checkpoints and of embeddings have their tensors, beside what is none."""

BROKEN = (
    SafetensorError,
    OSError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    StrictDataclassError,
    TypeError,
    ValueError,
)
"""What libraries raise at files that are not what they seem."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A file's tensors; ``read`` gives one by its name."""

    path: Path
    shapes: Shapes
    metadata: Mapping[str, str]
    read: Callable[[str], Tensor]


@contextmanager
def open_weights(path: Path, *, allow_pickle: bool = False) -> Iterator[Weights]:
    """Open a file, or the index of several; names, shapes and metadata are known at once.

    Raises `LoadError` for a pickle that is not allowed, and for what is no weights file.
    """
    if path.suffix.lower() in PICKLES:
        yield _unpickled(path, is_allowed=allow_pickle)
        return
    if path.name.endswith(INDEX):
        with ExitStack() as stack:
            shards = [stack.enter_context(open_weights(shard)) for shard in shards_of(path)]
            yield _together(path, shards)
        return
    with ExitStack() as stack:
        try:
            file: Any = stack.enter_context(safe_open(path, framework="pt"))  # untyped
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (SafetensorError, OSError) as error:
            raise _broken(path, error) from error
        yield Weights(path, shapes, file.metadata() or {}, file.get_tensor)


def shards_of(index: Path) -> list[Path]:
    """Return the files that an index names, all of them beside it; raises `LoadError`."""
    try:
        named = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        shards = [index.with_name(name) for name in sorted(set(named))]
        others = [shard.name for shard in shards if shard.suffix != ".safetensors"]
        if others:
            raise ValueError(f"it names {others[0]}")
        return shards
    except BROKEN as error:
        raise _broken(index, error) from error


def _together(index: Path, shards: Sequence[Weights]) -> Weights:
    holders = {name: shard for shard in shards for name in shard.shapes}
    shapes = {name: shard.shapes[name] for name, shard in holders.items()}
    return Weights(index, shapes, {}, lambda name: holders[name].read(name))


@contextmanager
def said_clearly(path: Path, noun: str = "checkpoint") -> Iterator[None]:
    """Turn what libraries raise at a broken checkpoint, or other ``noun``, into a `LoadError`."""
    try:
        yield
    except LoadError:
        raise
    except BROKEN as error:
        raise LoadError(
            f"a part of this {noun} is missing or broken: {reason_of(error, path)}",
            given=str(path),
            allowed=f"a whole {noun}, in safetensors",
            fix="download or copy it again",
        ) from error


def fill(network: nn.Module, weights: Weights, sources: Sources, dtype: torch.dtype) -> nn.Module:
    """Give a network without weights those of a file; it then only answers.

    Raises `LoadError`, and changes nothing, where one is missing or of another shape.
    """
    tensors = {}
    for name, wanted in network.state_dict().items():
        source = sources(name)
        if source.name not in weights.shapes:
            raise _missing(weights, source, network)
        tensor = _lying_right(weights.read(source.name), source)
        if _bare(tensor.shape) != _bare(wanted.shape):
            raise _other_shape(weights, source, tuple(wanted.shape))
        # a copy: the file may change while the network lives
        tensors[name] = tensor.reshape(wanted.shape).to(
            dtype, copy=True, memory_format=torch.contiguous_format
        )
    network.load_state_dict(tensors, assign=True)
    _count_positions(network)
    return network.eval().requires_grad_(False)


def check_all_used(weights: Weights, prefix: str, network: nn.Module, sources: Sources) -> None:
    """Raise `LoadError` where a file has tensors that its network has no place for."""
    used = {sources(name).name for name in network.state_dict()}
    left = [name for name in weights.shapes if name.startswith(prefix) and name not in used]
    if left:
        raise LoadError(
            f"this network has parts that are not known: {', '.join(left[:3])}",
            given=f"{len(left)} such tensors in {weights.path}",
            allowed="the architecture that Stable Diffusion 1, 2 or XL was published with",
            fix="load it with the tool that it was made for",
        )


def _bare(shape: Iterable[int]) -> tuple[int, ...]:
    """Return a shape without the ones at its end: a 1x1 convolution is a matrix."""
    sides = list(shape)
    while sides and sides[-1] == 1:
        sides.pop()
    return tuple(sides)


def _lying_right(tensor: Tensor, source: Source) -> Tensor:
    if source.third is not None:
        tensor = tensor.chunk(3)[source.third]
    return tensor.T if source.is_transposed else tensor


def _count_positions(network: nn.Module) -> None:
    """Make the one buffer that text encoders keep out of their weights."""
    for module in network.modules():
        positions = getattr(module, "position_ids", None)
        if isinstance(positions, Tensor) and positions.is_meta:
            module.register_buffer(
                "position_ids", torch.arange(positions.shape[-1])[None], persistent=False
            )


def _unpickled(path: Path, *, is_allowed: bool) -> Weights:
    if not is_allowed:
        raise LoadError(
            "this file is a pickle: opening it can run whatever its maker put there.",
            given=str(path),
            allowed="a .safetensors file",
            fix="take the checkpoint's .safetensors version; or if you trust the file, "
            "allow_pickle=True (in a cell --allow-pickle) reads its tensors only; to convert it: "
            'safetensors.torch.save_file(torch.load(path, weights_only=True)["state_dict"], new)',
        )
    try:
        is_zip = zipfile.is_zipfile(path)  # files of before torch 1.6 are not
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except UnpicklingError as error:
        raise LoadError(
            "this pickle holds more than tensors, and is not opened.",
            given=str(path),
            allowed="tensors only",
            fix="take the checkpoint's .safetensors version",
        ) from error
    except Exception as error:  # whatever a broken file raises
        raise _broken(path, error) from error
    content = content if isinstance(content, dict) else {}
    inner = next((content[key] for key in WITHIN if key in content), content)
    content = inner if isinstance(inner, dict) else {}
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return Weights(path, shapes, {}, tensors.__getitem__)


def _broken(path: Path, error: Exception) -> LoadError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return LoadError(
        f"this file holds no weights that can be read: {said}",
        given=str(path),
        allowed="a whole .safetensors file",
        fix="download it again: its size should be the one that its site names",
    )


def _missing(weights: Weights, source: Source, network: nn.Module) -> LoadError:
    return LoadError(
        f"a tensor of the {type(network).__name__} is missing: {source.name}",
        given=str(weights.path),
        allowed="a whole checkpoint",
        fix="download it again, or take another file: this one may be pruned too far",
    )


def _other_shape(weights: Weights, source: Source, wanted: tuple[int, ...]) -> LoadError:
    return LoadError(
        f"a tensor has another shape than its network needs: {source.name}",
        given=f"{weights.shapes[source.name]} in {weights.path}",
        allowed=str(wanted),
        fix="download the file again, or take another",
    )
