"""The input pictures of a ComfyUI workflow: files that are looked for in the user's folder only.

Source: the inputs of ComfyUI's built-in image and mask nodes, as its documentation lists them.
"""

from pathlib import Path, PurePath

from sdnb.errors import SdnbError
from sdnb.files import is_there
from sdnb.picture import FromImage, Inpaint, Picture, opened
from sdnb.records.draft import Draft
from sdnb.records.workflow import Node, Source, Workflow

_PASSED = ("ImageScale", "ImageScaleBy", "ImageScaleToTotalPixels")
_LOADING = ("LoadImage", "LoadImageMask")


class Pictures:
    """One reading of a workflow's pictures.

    Parameters
    ----------
    folder : Path or None
        Where files are looked for, by their bare names; None: no file is opened.
    """

    def __init__(self, workflow: Workflow, draft: Draft, folder: Path | None) -> None:
        self._workflow, self._draft, self._folder = workflow, draft, folder

    def of(self, source: Source) -> Picture | None:
        """Return the picture that comes out of a node; None, and a line why, where none can."""
        node, seen = source.node, set[str]()
        while node.kind in _PASSED and node.id not in seen:
            seen.add(node.id)
            self._draft.leave(node.place, "", "the picture is brought to the run's size instead")
            following = self._workflow.source(node, "image")
            if following is None:
                break
            node = following.node
        path = self._found(node)
        return None if path is None else self._read(node, path)

    def read_start(self, node: Node) -> None:
        """Read a start from a picture, or from a part of one."""
        mask_source = self._workflow.source(node, "mask")
        holder = node
        if node.kind == "SetLatentNoiseMask":
            encoder = self._workflow.source(node, "samples")
            holder = node if encoder is None else encoder.node
        if node.kind == "VAEEncodeForInpaint":
            why = "there what is repainted begins as grey, and the mask grows; here neither"
            self._draft.leave(node.place, "", why)
        source = self._workflow.source(holder, "pixels")
        size = None if source is None else _stretched(source.node)
        if source is not None and size is not None:
            source = self._workflow.source(source.node, "image")
        picture = None if source is None else self.of(source)
        if picture is None:
            self._draft.leave(holder.place, "", "no picture to begin with: it begins with noise")
            return
        self._start(node, picture, mask_source, size)

    def _start(
        self,
        node: Node,
        picture: Picture,
        mask_source: Source | None,
        size: tuple[int, int] | None,
    ) -> None:
        mask = None if mask_source is None else self._mask(mask_source)
        try:
            start = FromImage(picture) if mask is None else Inpaint(picture, mask)
            width, height = size or (side // 8 * 8 for side in picture.size)
        except SdnbError as error:
            self._draft.leave(node.place, "", error.what)
            return
        if mask_source is not None and mask is None:
            self._draft.leave(node.place, "mask", "left out: all of the picture is drawn anew")
        fields = {"start": start, "width": width, "height": height}
        self._draft.take(node.place, f"{width}x{height}", fields)

    def _mask(self, source: Source) -> Picture | None:
        """Return a mask, white where it repaints; of alpha, what it leaves transparent."""
        from PIL import ImageOps

        node, is_inverted = source.node, False
        if node.kind == "InvertMask":
            following = self._workflow.source(node, "mask")
            if following is None:
                return None
            node, is_inverted = following.node, True
        path = self._found(node)
        if path is None:
            return None
        channel = node.word("channel") or "alpha"
        band = {"red": "R", "green": "G", "blue": "B"}.get(channel, "A")
        try:
            with opened(path, path.name, "save it as PNG") as image:
                values = image.convert("RGBA").getchannel(band)
        except SdnbError as error:
            self._draft.leave(node.place, path.name, error.what)
            return None
        return Picture.of(ImageOps.invert(values) if (band == "A") != is_inverted else values)

    def _found(self, node: Node) -> Path | None:
        """Return the file of a node that loads one, if it is in the user's folder."""
        name = node.inputs.get("image")
        if node.kind not in _LOADING or not isinstance(name, str):
            self._draft.leave(node.place, "", "sdnb cannot make the picture that it gives")
            return None
        bare = PurePath(name.removesuffix(" [input]").replace("\\", "/")).name
        if self._folder is None:
            why = "files are opened only in a folder that you name: sdnb.read(path, folder=...)"
            self._draft.leave(node.place, bare, why)
            return None
        path = self._folder / bare
        if not bare or not is_there(path) or not path.is_file():
            self._draft.leave(node.place, bare, f"no such file in {self._folder}")
            return None
        return path

    def _read(self, node: Node, path: Path) -> Picture | None:
        try:
            return Picture.read(path)
        except SdnbError as error:
            self._draft.leave(node.place, path.name, error.what)
            return None


def _stretched(node: Node) -> tuple[int, int] | None:
    """Return the size that a node brings a picture to as a run does: all of it, without a cut."""
    width, height = (int(node.number(name, 0.0)) for name in ("width", "height"))
    fits = 0 < width <= 8192 and 0 < height <= 8192 and width % 8 == height % 8 == 0
    is_whole = node.kind == "ImageScale" and node.word("crop") == "disabled"
    return (width, height) if fits and is_whole else None
