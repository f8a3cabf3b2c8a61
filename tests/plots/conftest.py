"""Values to draw, made without running anything."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest
from PIL import Image

from sdnb.comparison.convergence import Convergence, ErrorCurve
from sdnb.comparison.samplers import Cost, SamplerFacts
from sdnb.comparison.schedules import NoiseCurve, Noised, ScheduleCurve
from sdnb.plots.figure import Figure
from sdnb.plots.static import to_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn() -> Callable[[Figure], ElementTree.Element]:
    """Draw a figure as SVG, and read it as XML."""
    return lambda figure: ElementTree.fromstring(to_svg(figure))


@pytest.fixture
def curves() -> tuple[ScheduleCurve, ...]:
    levels, times = (14.6, 3.0, 0.5, 0.0), (999.0, 700.0, 180.0, 0.0)
    return tuple(
        ScheduleCurve(name=name, sigmas=levels, timesteps=times) for name in ("karras", "normal")
    )


@pytest.fixture
def noise() -> NoiseCurve:
    picture = Noised(1, 3.0, Image.new("RGB", (16, 16), "red"))
    return NoiseCurve(
        alphas_cumprod=(0.9, 0.4, 0.1), sigmas=(0.3, 1.2, 3.0), pictures=(picture, picture)
    )


@pytest.fixture
def study() -> Convergence:
    curves = [
        ErrorCurve(
            sampler=name,
            order=order,
            steps=(5, 10, 20),
            evaluations=(5, 10, 20),
            errors=tuple(count**-order for count in (5, 10, 20)),
            fitted=float(order),
        )
        for name, order in (("euler", 1), ("heun", 2))
    ]
    return Convergence(
        problem="a <toy> & more",
        unit="data",
        schedule="karras",
        floor=1e-3,
        curves=tuple(curves),
        left_out=(),
    )


@pytest.fixture
def facts() -> tuple[SamplerFacts, ...]:
    return tuple(
        SamplerFacts(
            name=name,
            family="a <family>",
            order=order,
            nominal_order=order,
            evaluations=evaluations,
            stochastic=False,
            history=0,
            asks_both=False,
            paper=paper,
        )
        for name, order, evaluations, paper in (
            ("heun", 2, 2.0, "arXiv:2206.00364"),
            ("ddim", 1, 1.0, None),
            ("dpm_2", None, None, "arXiv:2206.00927"),
        )
    )


@pytest.fixture
def costs() -> tuple[Cost, ...]:
    return tuple(
        Cost(
            sampler=name,
            steps=10,
            evaluations=count,
            seconds=count / 10,
            evaluations_ratio=count / 10,
            time_ratio=count / 10.5,
        )
        for name, count in (("heun", 19), ("ddim", 10), ("dpm_2", 19))
    )
