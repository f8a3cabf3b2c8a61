"""Files back to requests: pictures of sdnb, A1111 and ComfyUI, workflows, requests as JSON."""

from pathlib import Path

from sdnb.errors import InvalidField
from sdnb.picture_file import read_info, unreadable
from sdnb.records.a1111 import read_parameters
from sdnb.records.comfyui import read_workflow
from sdnb.records.own import read_own, read_request
from sdnb.records.recalled import Recalled

LARGEST = 64 * 2**20
"""Bytes of a JSON file that are read; a request holds its input pictures."""


def read(path: str | Path, *, folder: str | Path | None = None) -> Recalled:
    """Read how a picture was made, from the file itself.

    Parameters
    ----------
    path : str or Path
        A PNG, WebP or JPEG of sdnb or of A1111's web UI and its kin, a PNG or WebP of ComfyUI,
        a ComfyUI workflow in API format or a request of sdnb as ``.json``.
    folder : str or Path, optional
        Where input pictures are looked for that a workflow names.

    Returns
    -------
    Recalled
        Its request, and a report: what was mapped, what cannot match here and why. Nothing that
        the file names is opened or loaded, but for pictures in ``folder``.

    Raises
    ------
    InvalidField, UnknownName
        Where there is no such file, or it does not say how it was made.
    """
    name, place = str(path), None if folder is None else Path(folder)
    if Path(path).suffix.lower() == ".json":
        text = _json(path)
        is_request = '"schema"' in text and '"class_type"' not in text
        return read_request(text, name) if is_request else read_workflow(text, name, place)
    texts = read_info(path)
    if isinstance(own := texts.get("sdnb"), str):
        return read_own(own, name)
    if isinstance(parameters := texts.get("parameters"), str):
        return read_parameters(parameters, name)
    if isinstance(workflow := texts.get("prompt") or texts.get("workflow"), str):
        return read_workflow(workflow, name, place)
    xmp = texts.get("xmp")  # a PNG may have a text of this name
    if "sdnb-comparison" in texts or (isinstance(xmp, bytes) and b"sdnb" in xmp):
        raise InvalidField(
            "this is a whole comparison, with a request for each of its cells.",
            given=name,
            allowed="one picture",
            fix="sdnb.comparison.record.read_comparison(path)",
        )
    raise unreadable(path, "this picture does not say how it was made")


def _json(path: str | Path) -> str:
    try:
        size = Path(path).stat().st_size
        text = Path(path).read_text(encoding="utf-8") if size <= LARGEST else ""
    except FileNotFoundError as error:
        raise unreadable(path, "there is no such file", "check the path") from error
    except (OSError, ValueError) as error:  # no text, or no name that a file can have
        raise unreadable(path, "this file cannot be read as text") from error
    if size > LARGEST:
        raise unreadable(path, f"this file is larger than {LARGEST} bytes")
    return text
