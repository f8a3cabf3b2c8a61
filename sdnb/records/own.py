"""What sdnb wrote into a picture -> its request, and what may be other here."""

from collections.abc import Iterator, Mapping

from sdnb.errors import InvalidField, SdnbError
from sdnb.picture_file import (
    BATCHED,
    CHECKPOINT,
    FORMAT,
    LEFT_OUT,
    read_json,
    software,
    unreadable,
)
from sdnb.records.named_parts import bare_name, checkpoint_line
from sdnb.records.recalled import Recalled
from sdnb.records.report import Line
from sdnb.request import GenerationRequest
from sdnb.written import NAMING

EXACT_ON = "cpu"
"""On a CPU the same libraries and as many threads give the same bits."""

_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def read_own(text: str, path: str) -> Recalled:
    """Read the ``sdnb`` text of a picture.

    Raises `InvalidField` or `UnknownName` for what sdnb did not write, and a newer sdnb did.
    """
    try:
        values = read_json(text)
        if values["version"] > FORMAT:
            raise unreadable(path, "this picture was saved by a newer sdnb", "upgrade sdnb")
        request, index = GenerationRequest.from_json(values["request"]), int(values["index"])
        facts = {str(name): str(fact) for name, fact in dict(values.get("facts", {})).items()}
        wrote = {str(name): str(each) for name, each in dict(values.get("software", {})).items()}
    except SdnbError:
        raise
    except _DAMAGED as error:
        raise unreadable(path, "the request in this picture is damaged") from error
    if not 0 <= index < request.batch_size:
        raise unreadable(path, "the request in this picture is damaged: no such image in its batch")
    lines = [Line(what="request", theirs="as it was run", ours="the same"), *_parts(request, facts)]
    lines += [*_libraries(wrote), *_machine(facts)]
    return Recalled(request=request, index=index, source="sdnb", path=path, lines=tuple(lines))


def read_request(text: str, path: str) -> Recalled:
    """Read a file of a request's JSON; raises as `read_own`."""
    try:
        request = GenerationRequest.from_json(read_json(text))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidField):
            raise
        raise unreadable(path, "this is no JSON") from error
    return Recalled(request=request, source="sdnb", path=path, lines=tuple(_parts(request, {})))


def _parts(request: GenerationRequest, facts: Mapping[str, str]) -> Iterator[Line]:
    name = request.checkpoint
    if name is not None and name == bare_name(name):
        yield checkpoint_line("checkpoint", name, facts.get(CHECKPOINT, ""))
    elif name is not None:
        yield Line(what="checkpoint", theirs=name, ours=name)
    yield from _named_files(request)
    if shown := facts.get(LEFT_OUT):
        why = "the file could not hold its input pictures: give them again"
        yield Line(what=LEFT_OUT, theirs=shown, why=why)
    for use in request.hooks:
        if use.given:
            why = "a function that was given to the run: only its name was kept; give it again"
            yield Line(what="hook", theirs=str(use), why=why)


def _named_files(request: GenerationRequest) -> Iterator[Line]:
    """Say what becomes of the hashes of LoRAs and the like, which cells leave out."""
    for field in NAMING:
        for part in getattr(request, field):
            if part.sha256:
                theirs = f"{part}, hash {part.sha256[:12]}"
                ours = "the same file; a cell takes whatever file now has that name"
                yield Line(what=field, theirs=theirs, ours=ours)


def _libraries(wrote: Mapping[str, str]) -> Iterator[Line]:
    here = software()
    for name, version in wrote.items():
        if here.get(name, version) != version:
            why = "another version may give other last bits"
            yield Line(what=name, theirs=version, ours=here[name], why=why)


def _machine(facts: Mapping[str, str]) -> Iterator[Line]:
    import torch

    device, threads = facts.get("device", EXACT_ON), str(torch.get_num_threads())
    if device != EXACT_ON:
        why = "other devices give other last bits"
        theirs = f"{device}, {facts.get('dtype', '')}"
        yield Line(what="device", theirs=theirs, why=why)
    elif facts.get("threads", threads) != threads:
        why = "another number of threads may give other last bits"
        yield Line(what="threads", theirs=facts["threads"], ours=threads, why=why)
    if facts.get(BATCHED):
        why = "drawn beside other runs of a comparison: within 1/255 of the run alone"
        yield Line(what=BATCHED, theirs=facts[BATCHED], ours="alone", why=why)
    if steps := facts.get("interrupted after steps"):
        why = "the run was interrupted; the request goes to its end"
        yield Line(what="interrupted after", theirs=f"{steps} steps", why=why)
