"""``%sd schedules``, ``%sd samplers``, ``%sd convergence``: read the flags, measure, draw.

What is measured and how is in `sdnb.comparison`, the figures in `sdnb.plots`; both are imported
when a subcommand runs.
"""

from typing import TYPE_CHECKING

from sdnb.errors import UnknownName
from sdnb.i18n import tr
from sdnb.magics.command import Call, CommandFlag, read_counts, read_names
from sdnb.magics.working import at_work, given, request_of
from sdnb.picture import Picture
from sdnb.registry import SAMPLERS, SCHEDULES

if TYPE_CHECKING:
    import PIL.Image

    import sdnb.plots.figure
    import sdnb.plots.sampler_table

USUAL = ("ddim", "plms", "euler", "heun", "dpm_2", "dpmpp_2m")
"""Samplers that are compared where none are named."""

PROBLEMS = ("both", "analytic", "model")
COLUMNS = (
    *("sampler", "family", "order", "nominal", "evaluations", "noise", "history", "paper"),
    *("counted", "relative", "time", "seconds"),
)
"""By what the table of samplers can be sorted; the last four where it was measured."""

_NAMES = CommandFlag(
    name="--names",
    takes="A,B",
    help="which samplers, separated by commas (default all)",
    example="ddim,heun",
    read=read_names,
    values=SAMPLERS.names,
)
SCHEDULES_FLAGS = (
    CommandFlag(
        name="--names",
        takes="A,B",
        help='which schedules, separated by commas: "karras rho=5,normal" (default all)',
        example="karras,normal",
        read=read_names,
        values=SCHEDULES.names,
    ),
    CommandFlag(
        name="--steps", takes="N", help="sampler steps (default 20)", example="20", read=int
    ),
    CommandFlag(
        name="--image",
        takes="FILE",
        help="the picture that drowns (default one of the embedded model's world)",
        example="cat.png",
        read=Picture.read,
    ),
)
SAMPLERS_FLAGS = (
    _NAMES,
    CommandFlag(
        name="--sort",
        takes="COLUMN",
        help=f"by what to sort: {', '.join(COLUMNS)}",
        example="order",
        values=lambda: COLUMNS,
    ),
    CommandFlag(name="--measure", takes="", help="run each on the model, and compare with DDIM"),
    CommandFlag(
        name="--steps", takes="N", help="of the measured runs (default 10)", example="10", read=int
    ),
    CommandFlag(
        name="--repeats", takes="N", help="rounds of measuring (default 3)", example="3", read=int
    ),
)
CONVERGENCE_FLAGS = (
    CommandFlag(
        name="--samplers",
        takes="A,B",
        help=f"which, separated by commas (default {','.join(USUAL)})",
        example="euler,heun",
        read=read_names,
        values=SAMPLERS.names,
    ),
    CommandFlag(
        name="--steps",
        takes="A,B",
        help="rising numbers of steps, separated by commas (default 5,10,20,40)",
        example="5,10,20,40",
        read=read_counts,
    ),
    CommandFlag(
        name="--problem",
        takes="WHICH",
        help="analytic: a denoiser with a known endpoint; model: the checkpoint; both (default)",
        example="analytic",
        values=lambda: PROBLEMS,
    ),
    CommandFlag(
        name="--prompt",
        takes="TEXT",
        help="what the model is asked (default that of the last picture)",
        example='"a red circle"',
    ),
)


def show_schedules(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw the levels of sigma schedules, and the model's noise schedule with pictures."""
    flags = given(call, "schedules", SCHEDULES_FLAGS)
    from sdnb.comparison.schedules import describe_noise, describe_schedules, noise_picture
    from sdnb.plots.schedules import plot_schedules

    names, steps = flags.get("names"), flags.get("steps", 20)
    picture = flags["image"].open() if "image" in flags else _scene()
    with at_work(call, request_of(call), tr("live.schedules")) as pipe:
        clock = pipe.components.noise_schedule
        curves = describe_schedules(names, steps, noise_schedule=clock)
        return plot_schedules(curves, describe_noise(clock, noise_picture(pipe, picture)))


def show_samplers(call: Call) -> "sdnb.plots.sampler_table.Table":
    """Show what is known of the samplers; ``--measure``: and what they cost on the model."""
    flags = given(call, "samplers", SAMPLERS_FLAGS)
    from sdnb.comparison.samplers import describe_samplers, measure_costs
    from sdnb.plots.sampler_table import Table

    names = flags.get("names")
    table = Table(describe_samplers(names))
    if "measure" in flags:
        request = request_of(call).changed(steps=flags.get("steps", 10))
        with at_work(call, request, tr("live.samplers")) as pipe:
            costs = measure_costs(pipe, request, names, repeats=flags.get("repeats", 3))
        table = Table(table.facts, costs)
    return table.by(flags["sort"]) if "sort" in flags else table


def show_convergence(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw the error of samplers against the number of evaluations."""
    flags = given(call, "convergence", CONVERGENCE_FLAGS)
    from sdnb.comparison.convergence import measure_convergence, measure_model_convergence
    from sdnb.plots.samplers import plot_convergence

    names, steps = flags.get("samplers", USUAL), flags.get("steps", (5, 10, 20, 40))
    problem, request = _problem(flags.get("problem", "both")), request_of(call)
    if "prompt" in flags:
        request = request.changed(prompt=flags["prompt"])
    studies = []
    if problem != "model":
        schedule = str(request.schedule)
        studies.append(measure_convergence(names, steps, schedule=schedule))
    if problem != "analytic":
        with at_work(call, request, tr("live.convergence", names=", ".join(names))) as pipe:
            studies.append(measure_model_convergence(pipe, request, names, steps))
    return plot_convergence(*studies)


def _problem(text: str) -> str:
    if text not in PROBLEMS:
        raise UnknownName.among("problem", text, PROBLEMS)
    return text


def _scene() -> "PIL.Image.Image":
    """Return a picture of the embedded model's world."""
    from random import Random

    from PIL import Image

    from sdnb.training.world import draw, sample_single

    return Image.fromarray(draw(sample_single(Random(61))).picture)
