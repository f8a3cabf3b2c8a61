"""``%sd film``, ``%sd latents``, ``%sd attention``, ``%sd inspect``: look inside the last run.

What is shown is computed in `sdnb.comparison` and drawn by `sdnb.plots`; both are imported when
a subcommand runs.
"""

from typing import TYPE_CHECKING, cast

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.magics.command import Call, CommandFlag
from sdnb.magics.working import at_work, decoding, given, request_of
from sdnb.picture import FromImage, Picture

if TYPE_CHECKING:
    import sdnb.comparison.microscope
    import sdnb.pipeline
    import sdnb.plots.figure
    import sdnb.result

FRAMES, MOST_FRAMES = 12, 100


def _frames(text: str) -> int:
    frames = int(text)
    if not 1 <= frames <= MOST_FRAMES:
        raise ValueError(f"{frames} frames")
    return frames


_INDEX = CommandFlag(
    name="--index",
    takes="I",
    help="which image of the batch, from 0 (default 0)",
    example="1",
    read=int,
)
FILM_FLAGS = (
    CommandFlag(
        name="--frames",
        takes="N",
        help=f"how many steps, evenly spaced, 1 … {MOST_FRAMES} (default {FRAMES})",
        example="8",
        read=_frames,
    ),
    _INDEX,
)
LATENTS_FLAGS = (
    CommandFlag(
        name="--step",
        takes="N",
        help="after how many steps; 0 is the start (default the clean latents)",
        example="5",
        read=int,
    ),
    _INDEX,
)
INSPECT_FLAGS = (
    CommandFlag(
        name="--t",
        takes="T",
        help="training timestep, 0 (hardly noised) … 999 (default half way)",
        example="500",
        read=float,
    ),
    CommandFlag(
        name="--image",
        takes="FILE",
        help="a picture to noise, at the size of drawing (default the last one's latents)",
        example="cat.png",
        read=Picture.read,
    ),
    CommandFlag(
        name="--prompt",
        takes="TEXT",
        help="what the network is told (default that of the last picture)",
        example='"a red circle"',
    ),
    _INDEX,
)

ATTENTION_FLAGS = (
    CommandFlag(
        name="--words",
        takes="WORDS",
        help="words of the prompt, with commas (default each of them)",
        example="house,blue",
        read=lambda text: tuple(text.split(",")),
    ),
    CommandFlag(
        name="--steps",
        takes="",
        help="step by step (8 of them at most), in place of the mean of all",
    ),
    _INDEX,
)
COLUMNS = 8


def show_film(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw what the model took for the clean picture in each step of the last run."""
    flags = given(call, "film", FILM_FLAGS)
    result = call.session.last_result()
    from sdnb.comparison.latents import film
    from sdnb.plots.latents import plot_film

    count, index = flags.get("frames", FRAMES), flags.get("index", 0)
    with decoding(call, result, tr("live.film")) as decoder:
        return plot_film(film(decoder, result, count=count, index=index))


def show_latents(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw the channels of the last picture's latents, at the end or after some steps."""
    flags = given(call, "latents", LATENTS_FLAGS)
    result, index = call.session.last_result(), flags.get("index", 0)
    from sdnb.comparison.latents import clean, state
    from sdnb.plots.latents import plot_channels

    if "step" not in flags:
        return plot_channels(clean(result, index)[0], title=tr("latents.clean"))
    step = flags["step"]
    latents, sigma = state(result, step, index)
    title = tr("latents.after_step", step=step, sigma=f"{sigma:.3g}")
    return plot_channels(latents[0], title=title)


def show_attention(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw which places attend to the words of the last prompt; the run is made again for it."""
    flags = given(call, "attention", ATTENTION_FLAGS)
    result, index = call.session.last_result(), flags.get("index", 0)
    from sdnb.plots.attention import plot_word_maps, plot_word_steps
    from sdnb.trace import spaced

    watched = _watched_again(call, result)
    attention = watched.attention
    if attention is None:
        raise _nothing_to_attend("the run was interrupted before its first answer")
    words = tuple(flags.get("words", dict.fromkeys(attention.words(image=index))))
    if not words:
        raise _nothing_to_attend("the prompt has no words")
    if "steps" not in flags:
        maps = {word: attention.shares(word, image=index) for word in words}
        return plot_word_maps(watched.images[index], maps)
    made = list(attention.steps["cond"])
    steps = [made[i] for i in spaced(len(made), COLUMNS)]
    return plot_word_steps(attention.film(words, steps, image=index), words, steps)


def _watched_again(call: Call, result: "sdnb.result.Result") -> "sdnb.result.Result":
    """Make a run again, hooks of the notebook included, and watch its attention."""
    from sdnb.magics.drawing import load, replaced_output, watch
    from sdnb.magics.notebook_hooks import join_hooks, split_hooks

    request, functions = split_hooks(result.request, call.names)
    with replaced_output() as show:
        pipe = cast("sdnb.pipeline.Pipeline", load(call.session, request.checkpoint, show))
        run = pipe.start(request, hooks=join_hooks(functions), attention=True, keep="none")
        return watch(run, call.session, show)


def _nothing_to_attend(what: str) -> InvalidField:
    return InvalidField(
        f"there is no attention to draw: {what}.",
        allowed="a picture that was drawn from a prompt",
        fix="draw one: %sd a red circle",
    )


def show_inspection(call: Call) -> "sdnb.comparison.microscope.Inspection":
    """Noise the last picture, or a file's, to one timestep, and show all the network says."""
    flags = given(call, "inspect", INSPECT_FLAGS)
    if {"image", "index"} <= flags.keys():
        raise InvalidField(
            "--index is of the last batch, and --image is a file's picture.",
            given="--image and --index",
            allowed="one of them",
            fix="leave --index out",
        )
    result = None if "image" in flags else call.session.last_result()
    from sdnb.comparison.latents import clean
    from sdnb.comparison.microscope import inspect
    from sdnb.start import Opening

    request = request_of(call)
    with at_work(call, request, tr("live.inspect")) as pipe:
        if result is None:
            begun = request.changed(start=FromImage(flags["image"]))
            subject = Opening(pipe.components, begun, (begun.seed or 0,)).clean
        else:
            subject = clean(result, flags.get("index", 0))
        half = len(pipe.components.noise_schedule.alphas_cumprod) / 2
        return inspect(
            pipe,
            subject,
            flags.get("prompt", request.prompt),
            t=flags.get("t", half),
            negative_prompt=request.negative_prompt,
            cfg_scale=request.cfg_scale,
        )


def results_at_hand(call: Call) -> "list[sdnb.result.Result]":
    """Return the results drawn here that something still holds, and variables that are results."""
    from sdnb.result import Result

    named = [value for value in call.names.values() if isinstance(value, Result)]
    found = [*call.session.results, *named]
    if not found:
        raise InvalidField(
            "there is no result to show yet.",
            given="no variable holds one, and nothing was drawn",
            allowed="what %sd, pipe.run and pipe.branch(...).finish() give",
            fix="draw first: %sd a red circle",
        )
    return found
