"""What subcommands that ask the model share: their flags, their request, the pipeline at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sdnb.i18n import tr
from sdnb.magics.command import Call, CommandFlag, read_flags
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import sdnb.pipeline
    import sdnb.result


# The values are those that the flags' own `read` gave: of as many types.
def given(call: Call, name: str, flags: tuple[CommandFlag, ...]) -> dict[str, Any]:
    """Return the values of a subcommand's flags, as their own ``read`` gave them."""
    return read_flags(call, name, flags)


def last_request(call: Call) -> GenerationRequest:
    """Return what the last picture was asked by, else the defaults."""
    session = call.session
    return session.defaults.request if session.result is None else session.result.request


def request_of(call: Call) -> GenerationRequest:
    """Return the last request for one image: seed given, no hooks."""
    request = last_request(call)
    return request.changed(seed=request.seed or 0, batch_size=1, hooks=())


@contextmanager
def at_work(
    call: Call, request: GenerationRequest, doing: str
) -> "Iterator[sdnb.pipeline.Pipeline]":
    """Give the pipeline, loading it if need be; what takes a while is said until it is done.

    That one checkpoint was loaded in the place of another is said and stays said.
    """
    from sdnb.magics.drawing import load, replaced_output, say
    from sdnb.magics.live_view import message

    session, checkpoint = call.session, request.checkpoint
    before = session.loaded
    with replaced_output() as show:
        pipe = load(session, checkpoint, show)
        if before not in (None, session.loaded):
            say(tr("live.replaced", checkpoint=session.loaded, before=before))
        show(message(doing))
        yield cast("sdnb.pipeline.Pipeline", pipe)  # the session knows what a run needs of it


@contextmanager
def decoding(
    call: Call, result: "sdnb.result.Result", doing: str
) -> "Iterator[sdnb.result.Decoder]":
    """Give what decodes a result: its own pipeline while that lives, else as `at_work`."""
    from sdnb.magics.drawing import waiting

    own = None if result.decoder is None else result.decoder()
    if own is None:
        with at_work(call, result.request, doing) as pipe:
            yield pipe
        return
    with waiting(doing):
        yield own
