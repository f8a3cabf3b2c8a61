"""Files back to requests: pictures of sdnb, A1111 and ComfyUI, workflows, requests as JSON."""

from pathlib import Path

from sdnb.errors import InvalidField
from sdnb.picture_file import read_info, unreadable
from sdnb.records.a1111 import read_parameters
from sdnb.records.own import read_own
from sdnb.records.recalled import Recalled


def read(path: str | Path) -> Recalled:
    """Read how a picture was made, from the file itself.

    Parameters
    ----------
    path : str or Path
        A PNG, WebP or JPEG of sdnb or of A1111's web UI and its kin.

    Returns
    -------
    Recalled
        Its request, and a report: what was mapped, what cannot match here and why. Nothing that
        the file names is opened or loaded.

    Raises
    ------
    InvalidField, UnknownName
        Where there is no such file, or it does not say how it was made.
    """
    texts, name = read_info(path), str(path)
    if isinstance(own := texts.get("sdnb"), str):
        return read_own(own, name)
    if isinstance(parameters := texts.get("parameters"), str):
        return read_parameters(parameters, name)
    if "sdnb-comparison" in texts or b"sdnb" in texts.get("xmp", b""):
        raise InvalidField(
            "this is a whole comparison, with a request for each of its cells.",
            given=name,
            allowed="one picture",
            fix="sdnb.comparison.record.read_comparison(path)",
        )
    raise unreadable(path, "this picture does not say how it was made")
