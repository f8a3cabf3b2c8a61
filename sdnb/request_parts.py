"""The parts of a request's JSON that are values of their own: pictures, LoRAs, hooks and so on.

Each is written by its own ``to_json``; the whole is in `sdnb.request`.
"""

from collections.abc import Callable, Mapping
from typing import Any, no_type_check

from sdnb.control import Control
from sdnb.embedding import Embedding
from sdnb.errors import InvalidField, SdnbError
from sdnb.hook_use import HookUse
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.picture import read_start


def _each(read: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda parts: tuple(map(read, parts))


_READ: Mapping[str, Callable[[Any], object]] = {
    "schema": int,
    "start": read_start,
    "hooks": _each(HookUse.from_json),
    "loras": _each(Lora.from_json),
    "embeddings": _each(Embedding.from_json),
    "controls": _each(Control.from_json),
    "ip_adapters": _each(IPAdapter.from_json),
}


@no_type_check  # at run time: what a file holds may be anything, and is refused here
def read_parts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's fields, of which some are parts of their own in JSON.

    Raises `InvalidField`, which names the part that cannot be read.
    """
    what, given = "it has no fields", type(values).__name__
    try:
        fields = dict(values)
        for name in filter(fields.__contains__, _READ):
            what, given = f"its {name} cannot be read", fields[name]
            fields[name] = _READ[name](given)
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, SdnbError):
            raise
        raise InvalidField(
            f"this is no request: {what}.",
            given=given,
            allowed="what GenerationRequest.to_json gives",
            fix="read it from the file again",
        ) from error
    return fields
