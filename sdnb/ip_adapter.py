"""A picture to draw after, through an IP-Adapter, as a plain value: ``photo.png:ip-adapter:0.6``.

What an IP-Adapter is and how it is read, is in `sdnb.models.ip_adapter`.
"""

from dataclasses import dataclass
from typing import Any, no_type_check

from sdnb.steering import Steering


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True, kw_only=True)
class IPAdapter(Steering):
    """A picture whose content and style are drawn after, beside the prompt.

    The network sees the square in its middle.

    Parameters
    ----------
    image_encoder : str
        SHA-256 of the file that it sees with; empty until a run has found it. Another encoder is
        refused then.
    """

    NOUN = "an IP-Adapter"
    NETWORK = "its file"
    KEY = "ip_adapter"
    FLAG = "--ip-adapter photo.png:ip-adapter_sd15:0.6"
    FIELD = "ip_adapters"

    image_encoder: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values; the picture in base64."""
        return {**super().to_json(), "image_encoder": self.image_encoder}
