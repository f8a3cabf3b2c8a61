"""What a request leaves open, settled for a checkpoint before a run: files read, sizes and seed."""

from secrets import randbelow

from sdnb.errors import InvalidField
from sdnb.models.components import Components
from sdnb.request import GenerationRequest


def resolve(components: Components, request: GenerationRequest) -> GenerationRequest:
    """Return the request as it is run and recorded: with seed, size, and hashes of its files.

    Raises `InvalidField` where it is for another checkpoint, and `LoadError` for files that are
    missing, broken, made for other networks, or not those any more that were recorded.
    """
    if request.checkpoint not in (None, components.reference):
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
