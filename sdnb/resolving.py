"""What a request leaves open, settled for a checkpoint before a run: files read, sizes and seed."""

from secrets import randbelow

from sdnb.errors import InvalidField
from sdnb.models.checkpoint import find_here
from sdnb.models.components import Components
from sdnb.models.hashing import hash_checkpoint, may_be_equal
from sdnb.request import GenerationRequest


def resolve(components: Components, request: GenerationRequest) -> GenerationRequest:
    """Return the request as it is run and recorded: with seed, size, and hashes of its files.

    Raises `InvalidField` where it is for another checkpoint, and `LoadError` for files that are
    missing, broken, made for other networks, or not those any more that were recorded.
    """
    if not is_loaded(components, request.checkpoint):
        raise InvalidField(
            "this pipeline holds another checkpoint.",
            given=request.checkpoint,
            allowed=components.reference,
            fix=f"sdnb.load({request.checkpoint!r})",
        )
    prompts = request.prompt, request.negative_prompt
    return request.changed(
        checkpoint=components.reference,
        loras=components.adapters.resolved(request.loras),
        embeddings=components.embeddings.resolved(request.embeddings, prompts, request.syntax),
        controls=components.controlnets.resolved(request.controls),
        ip_adapters=components.ip_adapters.resolved(request.ip_adapters),
        seed=randbelow(2**32) if request.seed is None else request.seed,
        width=request.width or components.size,
        height=request.height or components.size,
    )


def is_loaded(components: Components, reference: str | None) -> bool:
    """Whether a request for this checkpoint means the loaded one: its name, or the same file."""
    if reference in (None, components.reference):
        return True
    path, own = find_here(str(reference)), find_here(components.reference)
    if path is None or (own is not None and not may_be_equal(path, own)):
        return False
    return hash_checkpoint(path) == components.sha256
