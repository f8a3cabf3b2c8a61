"""A ComfyUI workflow in API format as a graph: nodes, and where their inputs come from.

    {"3": {"class_type": "KSampler", "inputs": {"seed": 7, "model": ["4", 0], ...}}, ...}

An input is a value, or a link: another node's id and which of its outputs. Source: ComfyUI's public
documentation, "Workflow API format". What the nodes mean is in `sdnb.records.comfyui`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sdnb.errors import InvalidField
from sdnb.picture_file import read_json

LONGEST = 4_000_000
"""Characters that are read; large workflows have some hundred thousand."""

_HUGE = 1e18


@dataclass(frozen=True)
class Node:
    """One node; ``kind`` is its class as ComfyUI names it."""

    id: str
    kind: str
    inputs: Mapping[str, object]

    @property
    def place(self) -> str:
        """How a report names it."""
        return f"node {self.id} ({self.kind})"

    def number(self, name: str, default: float) -> float:
        """Return an input that is a number; the default where it is none."""
        value = self.inputs.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return default
        return float(value) if abs(value) < _HUGE else default

    def word(self, name: str) -> str:
        """Return an input that is text; empty where it is none."""
        value = self.inputs.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Source:
    """Where an input comes from: a node, and which of its outputs."""

    node: Node
    output: int


class Workflow:
    """The nodes of a workflow, by their ids."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes

    @classmethod
    def parse(cls, text: str) -> "Workflow":
        """Read the JSON; raises `InvalidField` for anything but an API workflow."""
        if len(text) > LONGEST:
            raise _no_workflow(f"this JSON has more than {LONGEST} characters", f"{len(text)}")
        try:
            values = read_json(text)
        except (ValueError, RecursionError) as error:
            raise _no_workflow("this is no JSON that can be read", "") from error
        if not isinstance(values, dict) or not values:
            raise _no_workflow("this JSON holds no nodes", type(values).__name__)
        if isinstance(values.get("nodes"), list):
            raise InvalidField(
                "this is a workflow as ComfyUI's editor saves it, without the names of its inputs.",
                given="a list of nodes",
                allowed="API format",
                fix="in ComfyUI: Workflow > Export (API)",
            )
        return cls({name: _node(name, value) for name, value in values.items()})

    def source(self, node: Node, name: str) -> Source | None:
        """Return where an input comes from; None where it is a value, or not there.

        Raises `InvalidField` for a link to a node that is not there.
        """
        link = _link(node.inputs.get(name))
        if link is None:
            return None
        other, output = link
        if other not in self.nodes:
            raise InvalidField(
                f"{node.place} takes its {name} from a node that is not there.",
                given=other,
                allowed=", ".join(sorted(self.nodes)[:20]),
                fix="export the whole workflow again",
            )
        return Source(self.nodes[other], output)

    def first_source(self, node: Node, names: Sequence[str]) -> Source | None:
        """Return where the first of some inputs comes from that is a link."""
        found = (self.source(node, name) for name in names)
        return next((source for source in found if source is not None), None)

    def of_kinds(self, *kinds: str) -> Iterator[Node]:
        """Give the nodes of some kinds, in the order of their numbers."""
        for name in sorted(self.nodes, key=lambda name: (len(name), name)):
            if self.nodes[name].kind in kinds:
                yield self.nodes[name]


def _link(value: object) -> tuple[str, int] | None:
    """Return the node and the output that an input names; None where it is a value."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    node, output = value
    return (str(node), output) if isinstance(node, str | int) and type(output) is int else None


def _node(name: str, value: object) -> Node:
    kind = value.get("class_type") if isinstance(value, dict) else None
    inputs = value.get("inputs", {}) if isinstance(value, dict) else None
    if not isinstance(kind, str) or not isinstance(inputs, dict):
        raise _no_workflow("a node of it has no class_type or no inputs", name)
    return Node(name, kind, inputs)


def _no_workflow(what: str, given: str) -> InvalidField:
    return InvalidField(
        f"{what}.",
        given=given[:60],
        allowed="a workflow of ComfyUI in API format",
        fix="in ComfyUI: Workflow > Export (API)",
    )
