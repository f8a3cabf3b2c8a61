"""Named vectors, and what can be asked of them: how alike, which are nearest, what a sum means.

Where vectors of tokens and texts come from is in `sdnb.comparison.text`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import InvalidField

FEW = 12
"""Names that an error lists."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors [N, D], float32, each with its name; raises `InvalidField` unless N names fit."""

    names: tuple[str, ...]
    values: Float[Tensor, "N D"]

    def __post_init__(self) -> None:
        if not self.names or len(self.names) != len(self.values):
            raise InvalidField(
                "each vector has its name.",
                given=f"{len(self.names)} names, {len(self.values)} vectors",
                allowed="one vector or more, and a name for each",
            )

    @property
    def width(self) -> int:
        """D, the numbers of each vector."""
        return self.values.shape[1]

    def of(self, name: str) -> Float[Tensor, " D"]:
        """Return the vector of a name; raises `InvalidField` for one that is not there."""
        if name not in self.names:
            few = ", ".join(self.names[:FEW]) + (" …" if len(self.names) > FEW else "")
            raise InvalidField(
                "there is no vector of this name.",
                given=name,
                allowed=f"one of {len(self.names)}: {few}",
                fix="make the vectors with this name among the texts",
            )
        return self.values[self.names.index(name)]


@dataclass(frozen=True, kw_only=True)
class Near:
    """A name, its rank from 1 (the nearest), and the cosine of the angle to it, -1 … 1."""

    name: str
    rank: int
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Analogy:
    """A sum of vectors, and every name ranked by its similarity to it.

    Parameters
    ----------
    plus, minus : tuple of str
        The terms of the sum.
    ranked : tuple of Near
        All names, the terms among them.
    """

    plus: tuple[str, ...]
    minus: tuple[str, ...]
    ranked: tuple[Near, ...]

    def rank(self, name: str) -> int:
        """Return the rank of a name among all; raises `InvalidField` for one that has none."""
        for near in self.ranked:
            if near.name == name:
                return near.rank
        raise InvalidField(
            "this name is not among those that were ranked.",
            given=name,
            allowed=f"one of {len(self.ranked)}: {', '.join(n.name for n in self.ranked[:FEW])} …",
            fix="add it to the candidates",
        )

    def rank_beside_terms(self, name: str) -> int:
        """Return the rank among the names that are no terms of the sum, as papers count it.

        A sum often lies nearest to one of its own terms: Rogers et al. 2017
        (doi:10.18653/v1/S17-1017) show how much leaving them out flatters.
        """
        mine = self.rank(name)
        terms = {*self.plus, *self.minus} - {name}
        return mine - sum(each.rank < mine for each in self.ranked if each.name in terms)

    def __str__(self) -> str:
        return " + ".join(self.plus) + "".join(f" − {name}" for name in self.minus)


@dataclass(frozen=True, kw_only=True)
class Projected:
    """Names as points in two or three dimensions.

    Parameters
    ----------
    points : Tensor [N, d]
    shares : tuple of float, [d]
        The part of the variance that each axis shows, 0 … 1; none of a map that has no such axes.
    """

    names: tuple[str, ...]
    points: Float[Tensor, "N d"]
    shares: tuple[float, ...] = ()


def similarity(vectors: Vectors) -> Float[Tensor, "N N"]:
    """Return the cosine of the angle between each two vectors, -1 … 1."""
    unit = _unit(vectors.values)
    return unit @ unit.T


def nearest(
    vectors: Vectors, to: Float[Tensor, " D"], count: int | None = None
) -> tuple[Near, ...]:
    """Rank names by the cosine of the angle to a vector: the ``count`` nearest, or all."""
    cosines = _unit(vectors.values) @ _unit(to[None])[0]
    order = cosines.argsort(descending=True, stable=True)[:count].tolist()
    return tuple(
        Near(name=vectors.names[i], rank=rank, similarity=float(cosines[i]))
        for rank, i in enumerate(order, 1)
    )


def analogy(vectors: Vectors, plus: Sequence[str], minus: Sequence[str] = ()) -> Analogy:
    """Add and subtract vectors, and rank every name by its similarity to the sum.

    Each term counts alike: ``analogy(v, ["red circle", "blue"], ["red"])``.

    Source: Mikolov et al. 2013 (https://aclanthology.org/N13-1090).

    Raises
    ------
    InvalidField
        For a term that has no vector.
    """
    total = sum((vectors.of(name) for name in plus), torch.zeros(vectors.width))
    for name in minus:
        total = total - vectors.of(name)
    return Analogy(plus=tuple(plus), minus=tuple(minus), ranked=nearest(vectors, total))


def principal_axes(vectors: Vectors, dimensions: int = 2) -> Projected:
    """Lay vectors on the axes along which they differ most (Pearson 1901).

    Raises `InvalidField` where there are too few vectors, or numbers in each, for so many axes.
    """
    most = min(len(vectors.names) - 1, vectors.width)
    if not 1 <= dimensions <= most:
        raise InvalidField(
            "so many vectors do not differ along so many axes.",
            given=f"{dimensions} axes of {len(vectors.names)} vectors",
            allowed=f"1 … {most}",
            fix="take more vectors, or fewer axes",
        )
    values = vectors.values.double().numpy()
    left, sizes, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    points = left[:, :dimensions] * sizes[:dimensions]
    points *= np.sign(points[np.abs(points).argmax(axis=0), np.arange(dimensions)] + 1e-30)
    shares = sizes**2 / max(float((sizes**2).sum()), 1e-30)
    return Projected(
        names=vectors.names,
        points=torch.from_numpy(points).float(),
        shares=tuple(map(float, shares[:dimensions])),
    )


def neighbour_map(vectors: Vectors, dimensions: int = 2, *, seed: int = 0) -> Projected:
    """Lay vectors so that near ones stay near; distances further away mean little.

    Source: UMAP, McInnes et al. 2018 (arXiv:1802.03426); by the library umap-learn, which is not
    installed with sdnb.

    Raises
    ------
    InvalidField
        Where umap-learn is missing.
    """
    if find_spec("umap") is None:
        raise InvalidField(
            "this map is made by umap-learn, which is not installed.",
            allowed="principal_axes(vectors), which needs nothing more",
            fix="pip install umap-learn",
        )
    # the library has no types
    reducer = import_module("umap").UMAP(
        n_components=dimensions,
        n_neighbors=min(15, len(vectors.names) - 1),
        metric="cosine",
        random_state=seed,
    )
    fit = cast("Callable[[np.ndarray], np.ndarray]", reducer.fit_transform)
    points = torch.from_numpy(np.asarray(fit(vectors.values.numpy()), dtype=np.float32))
    return Projected(names=vectors.names, points=points)


def _unit(values: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    unit: Tensor = values / values.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit
