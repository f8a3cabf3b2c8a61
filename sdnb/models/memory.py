"""What the memory is too small for."""

import torch

from sdnb.errors import ModelError
from sdnb.shapes import State


def is_out_of_memory(error: Exception) -> bool:
    """Whether it says that memory ended."""
    # torch has a class for devices; its CPU allocator and Apple's raise a plain RuntimeError
    said = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(each in str(error) for each in said)


def too_large(given: State, error: Exception, kind: str = "latents") -> ModelError:
    """Make the error for latents, or what ``kind`` says, that fit in no network call."""
    refusal = ModelError(
        "there is not enough memory for one question to the network.",
        given=f"{kind} {tuple(given.shape)}",
        allowed="what fits beside the checkpoint",
        fix="a smaller width and height; a smaller batch_size; or load it with offload=True "
        "(%sd load ... --offload): only the part that computes is on the device then",
    )
    # its traceback would hold what filled the memory for as long as the refusal is kept
    refusal.__cause__ = error.with_traceback(None)
    return refusal
