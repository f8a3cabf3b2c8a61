"""A family of checkpoints: how to tell it, and what is different in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Shapes = Mapping[str, tuple[int, ...]]
"""The tensors of a file by their names: their shapes."""

TimeIds = Callable[[float, float, str], tuple[float, ...]]
"""(height, width, branch) -> the numbers that tell the network of a picture's size."""


@dataclass(frozen=True, kw_only=True)
class TextSpec:
    """One of a family's text encoders.

    Parameters
    ----------
    folder : str
        Its folder in diffusers' layout; its tokenizer is in the folder of the same ending.
    prefix : str
        What its tensors' names begin with in a single file.
    layout : {"clip", "open_clip"}
        Whose names and shapes they have there.
    activation : str
        Of its layers, in transformers' words.
    pad : int
        The token that fills a text up to 77. Only the padding is made of it: CLIP's 0 is a
        letter ``!`` inside a text as well.
    layers : int or None
        How many there are to read; a file may bring more. None: as many as it brings.
    skipped : int
        How many of them, the last ones, the U-Net was not trained to read.
    is_normed : bool
        Whether what is read goes through the final layer norm.
    is_projected : bool
        Whether the U-Net is told its projected summary of the text.
    """

    folder: str
    prefix: str
    layout: str
    activation: str
    pad: int
    layers: int | None = None
    skipped: int = 0
    is_normed: bool = True
    is_projected: bool = False

    @property
    def tokenizer_folder(self) -> str:
        """Where its tokenizer is in diffusers' layout."""
        return self.folder.replace("text_encoder", "tokenizer")


@dataclass(frozen=True, kw_only=True)
class Family:
    """What all checkpoints of a family have in common.

    Parameters
    ----------
    name : str
        As practitioners say it.
    texts : tuple of TextSpec
        Its text encoders, in the order in which the U-Net reads them.
    recognises : callable
        Shapes of a file in the original layout -> whether it is one of these.
    heads : callable
        Channels of a layer of the U-Net -> its attention heads.
    size : int
        Pixels of a side in training.
    v_size : int or None
        Of those that predict v, where it is another.
    scale : float
        Standard deviation of its VAE's latents, inverted.
    time_ids : callable or None
        What the U-Net is told of the size, where it is told.
    """

    name: str
    texts: tuple[TextSpec, ...]
    recognises: Callable[[Shapes], bool]
    heads: Callable[[int], int]
    size: int
    scale: float
    time_ids: TimeIds | None = None
    v_size: int | None = None
