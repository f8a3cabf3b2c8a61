"""Outlines of the twelve kinds of thing, as polygons in a box from -1 to 1.

Here is geometry only. Colours, sizes and places are in ``world``.
"""

from dataclasses import dataclass
from math import cos, pi, sin

Number = int | float
Point = tuple[Number, Number]
Polygon = tuple[Point, ...]


@dataclass(frozen=True)
class Silhouette:
    """The union of ``parts`` in the thing's colour, with darker ``details`` upon it.

    x runs to the right and y down, both from -1 to 1.
    """

    parts: tuple[Polygon, ...]
    details: tuple[Polygon, ...] = ()


def ellipse(x: Number, y: Number, radius_x: Number, radius_y: Number | None = None) -> Polygon:
    """Polygon of 40 corners on an ellipse; a circle without ``radius_y``."""
    radius_y = radius_x if radius_y is None else radius_y
    angles = (2 * pi * k / 40 for k in range(40))
    return tuple((x + radius_x * cos(a), y + radius_y * sin(a)) for a in angles)


def box(left: Number, top: Number, right: Number, bottom: Number) -> Polygon:
    """Axis-parallel rectangle."""
    return (left, top), (right, top), (right, bottom), (left, bottom)


def star(points: int = 5, inner: Number = 0.42) -> Polygon:
    """Star with its first point up; ``inner`` is the radius of the notches."""
    radii = ((1.0, inner)[k % 2] for k in range(2 * points))
    return tuple(
        (r * sin(pi * k / points), 0.08 - r * cos(pi * k / points)) for k, r in enumerate(radii)
    )


def heart() -> Polygon:
    """The classic heart curve x = sin^3, y = cosines, scaled to the box."""
    angles = [2 * pi * k / 60 for k in range(60)]
    return tuple(
        (
            sin(a) ** 3,
            -(13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)) / 15 - 0.13,
        )
        for a in angles
    )


def flower() -> Silhouette:
    """Five round petals on a stem with two leaves."""
    angles = [2 * pi * k / 5 - pi / 2 for k in range(5)]
    petals = tuple(ellipse(0.4 * cos(a), -0.38 + 0.4 * sin(a), 0.29) for a in angles)
    middle = ellipse(0, -0.38, 0.3)
    stem = box(-0.08, -0.3, 0.08, 1)
    leaves = (
        ((0, 0.85), (-0.55, 0.3), (-0.6, 0.62)),
        ((0, 0.85), (0.55, 0.3), (0.6, 0.62)),
    )
    return Silhouette((*petals, middle, stem, *leaves), (ellipse(0, -0.38, 0.18),))


def tree() -> Silhouette:
    """A fir: three tiers on a trunk."""
    tiers = (
        ((0, -1), (0.5, -0.32), (-0.5, -0.32)),
        ((0, -0.6), (0.68, 0.16), (-0.68, 0.16)),
        ((0, -0.15), (0.85, 0.66), (-0.85, 0.66)),
    )
    return Silhouette((*tiers, box(-0.18, 0.6, 0.18, 1)))


def cat() -> Silhouette:
    """A sitting cat: head with ears, body, and a tail that stands up at the right."""
    ears = (
        ((-0.52, -0.95), (-0.02, -0.62), (-0.5, -0.3)),
        ((0.32, -0.95), (-0.18, -0.62), (0.3, -0.3)),
    )
    tail = ((0.2, 0.95), (0.95, 0.85), (0.98, -0.1), (0.74, -0.15), (0.68, 0.55), (0.2, 0.62))
    eyes = (ellipse(-0.3, -0.38, 0.09, 0.11), ellipse(0.1, -0.38, 0.09, 0.11))
    parts = (ellipse(-0.1, -0.36, 0.46, 0.38), ellipse(-0.1, 0.42, 0.5, 0.55), *ears, tail)
    return Silhouette(parts, eyes)


def car() -> Silhouette:
    """A side view: body, cabin with two windows, two wheels."""
    cabin = ((-0.6, 0.0), (-0.36, -0.55), (0.36, -0.55), (0.62, 0.0))
    wheels = (ellipse(-0.52, 0.4, 0.25), ellipse(0.52, 0.4, 0.25))
    windows = (
        ((-0.4, -0.06), (-0.25, -0.4), (-0.06, -0.4), (-0.06, -0.06)),
        ((0.08, -0.06), (0.08, -0.4), (0.27, -0.4), (0.42, -0.06)),
    )
    return Silhouette((box(-1, -0.05, 1, 0.4), cabin, *wheels), windows)


SILHOUETTES: dict[str, Silhouette] = {
    "circle": Silhouette((ellipse(0, 0, 0.95),)),
    "square": Silhouette((box(-0.84, -0.84, 0.84, 0.84),)),
    "triangle": Silhouette((((0, -0.95), (1, 0.82), (-1, 0.82)),)),
    "star": Silhouette((star(),)),
    "heart": Silhouette((heart(),)),
    "house": Silhouette(
        (box(-0.68, -0.1, 0.68, 0.95), ((0, -1), (1, -0.05), (-1, -0.05))),
        (box(-0.2, 0.35, 0.2, 0.95),),
    ),
    "tree": tree(),
    "flower": flower(),
    "car": car(),
    "fish": Silhouette(
        (
            ellipse(-0.25, 0, 0.72, 0.5),
            ((0.25, 0), (1, -0.6), (0.82, 0), (1, 0.6)),
        ),
        (ellipse(-0.6, -0.12, 0.1),),
    ),
    "boat": Silhouette(
        (
            ((-1, 0.35), (1, 0.35), (0.6, 0.9), (-0.6, 0.9)),
            box(-0.14, -0.98, -0.02, 0.4),
            ((0.02, -0.95), (0.8, 0.18), (-0.08, 0.18)),
            ((-0.1, -0.6), (-0.1, 0.18), (-0.62, 0.18)),
        )
    ),
    "cat": cat(),
}
