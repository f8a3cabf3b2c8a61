"""Borders around a picture: its edges go on, and a mask says where there is nothing yet.

How a run paints them is `sdnb.picture.Inpaint`'s affair.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, no_type_check

from sdnb.errors import InvalidField

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from PIL.Image import Image

Borders = Mapping[str, int]
"""Pixels to add by side: ``left``, ``top``, ``right``, ``bottom``."""


@no_type_check  # at run time: it checks what it is given, and says more than a type error
def check_borders(size: tuple[int, int], borders: Borders, feather: int) -> None:
    """Raise `InvalidField` for no border, and for a new size that no run can have."""
    given = {**{side: pixels for side, pixels in borders.items() if pixels}, "feather": feather}
    are_whole = all(type(pixels) is int and pixels >= 0 for pixels in given.values())
    if not are_whole or not any(borders.values()):
        raise InvalidField(
            "a picture is extended by whole numbers of pixels, on one side at least.",
            given=given,
            allowed="left, top, right, bottom: 8, 16, …; feather: 0, 1, …",
            fix="right=64",
        )
    width = size[0] + borders["left"] + borders["right"]
    height = size[1] + borders["top"] + borders["bottom"]
    if width % 8 or height % 8 or max(width, height) > 8192:
        raise InvalidField(
            "the extended picture has a size that no run can have.",
            given=f"{width}x{height}",
            allowed="multiples of 8, up to 8192",
            fix=f"add {-width % 8} pixels to the width and {-height % 8} to the height",
        )


def extended(image: "Image", borders: Borders) -> "Image":
    """Return a picture with borders in the colours of its edges."""
    import numpy as np
    from PIL import Image

    rows, columns = (borders["top"], borders["bottom"]), (borders["left"], borders["right"])
    return Image.fromarray(np.pad(np.asarray(image), (rows, columns, (0, 0)), mode="edge"))


def border_mask(size: tuple[int, int], borders: Borders, feather: int) -> "Image":
    """Return what is white on the borders, and falls to black within the picture.

    Parameters
    ----------
    size : (width, height)
        Of the picture without borders, in pixels.
    feather : int
        Pixels over which it falls; 0 leaves the picture black.
    """
    import numpy as np
    from PIL import Image

    across = _depth(size[0], borders["left"], borders["right"])
    down = _depth(size[1], borders["top"], borders["bottom"])
    inside = np.minimum.outer(down, across)
    shares = np.clip(1 - inside / max(feather, 1e-3), 0, 1)
    return Image.fromarray((shares * 255).round().astype(np.uint8))


def _depth(length: int, before: int, after: int) -> "Float[np.ndarray, ' n']":
    """Return how far each place of a side lies from the borders at its ends; below 0 on them."""
    import numpy as np

    place = np.arange(-before, length + after) + 0.5
    far = np.full_like(place, np.inf)
    return np.minimum(place if before else far, length - place if after else far)
