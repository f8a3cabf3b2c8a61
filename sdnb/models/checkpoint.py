"""From a reference to a folder: ``tiny`` is the model that ships inside, else a path."""

from pathlib import Path

from sdnb.errors import LoadError

EMBEDDED = {"tiny": Path(__file__).parent / "tiny"}


def locate(reference: str) -> Path:
    """Return the folder of a checkpoint in diffusers' layout.

    Raises `LoadError` where there is none.
    """
    folder = EMBEDDED.get(reference, Path(reference).expanduser())
    if not (folder / "model_index.json").is_file():
        raise LoadError(
            "no checkpoint was found there: a folder with a model_index.json is needed.",
            given=reference,
            allowed=f"{', '.join(EMBEDDED)}, or the path of a folder in diffusers' layout",
            fix='sdnb.load("tiny") works everywhere',
        )
    return folder
