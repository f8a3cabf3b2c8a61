"""The pictures that a request starts from, as files beside the notebook: its texts name them."""

from pathlib import Path

from sdnb.files import save_new
from sdnb.request import GenerationRequest
from sdnb.written import input_files


def save_inputs(request: GenerationRequest) -> list[Path]:
    """Save them by the names of `sdnb.written.input_files`, where they are not there yet."""
    files = input_files(request)
    return [Path(n) if Path(n).exists() else save_new(n, png) for n, png in files.items()]
