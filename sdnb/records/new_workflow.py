"""A ComfyUI workflow that is being made: nodes, the pictures they load, and a report."""

from dataclasses import dataclass, field
from typing import Any

from sdnb.picture import Picture
from sdnb.records.report import Line

Link = list[str | int]
"""A node's number, and which of its outputs: the form that API workflows have for it."""


@dataclass
class NewWorkflow:
    """Nodes that are added one after the other, each after those that it takes from."""

    nodes: dict[str, Any] = field(default_factory=dict)  # JSON: inputs are values and links
    pictures: dict[str, Picture] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def add(self, kind: str, **inputs: object) -> Link:
        """Add a node; return a link to its first output."""
        number = str(len(self.nodes) + 1)
        self.nodes[number] = {"class_type": kind, "inputs": inputs}
        return [number, 0]

    def load(self, kind: str, picture: Picture, **inputs: object) -> Link:
        """Add a node that loads a picture, and keep the picture for its folder."""
        name = f"sdnb-{picture.sha256[:12]}.png"
        self.pictures[name] = picture
        return self.add(kind, image=name, **inputs)

    def take(self, what: str, ours: object, theirs: object = "", why: str = "") -> None:
        """Say what a setting becomes."""
        self.lines.append(Line(what=what, ours=str(ours), theirs=str(theirs or ours), why=why))

    def leave(self, what: str, ours: object, why: str) -> None:
        """Say what has no meaning there."""
        self.lines.append(Line(what=what, ours=str(ours), theirs="", why=why))


def output(link: Link, number: int) -> Link:
    """Return a link to another output of the same node."""
    return [link[0], number]
