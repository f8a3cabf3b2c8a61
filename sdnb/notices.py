"""What stands under a picture beside its facts: words nobody taught, a mask without effect."""

from sdnb.hook_use import MODULE
from sdnb.models.components import Components
from sdnb.models.text import unknown_words
from sdnb.picture import Inpaint
from sdnb.request import GenerationRequest


def notices(
    components: Components, request: GenerationRequest, *, is_watched: bool = False
) -> tuple[str, ...]:
    """Return what the user of a request should know, one sentence each.

    ``is_watched``: the network's attention was recorded.
    """
    said = []
    prompts = (request.prompt, request.negative_prompt)
    unknown = dict.fromkeys(
        word
        for prompt in prompts
        for word in unknown_words(components, prompt, request.syntax, request.embeddings)
    )
    if unknown and components.words is not None:
        known = ", ".join(sorted(components.words))
        said.append(f"This model has never seen: {', '.join(unknown)}. It knows: {known}.")
    if isinstance(request.start, Inpaint) and request.start.mask.is_black:
        said.append("The mask is black everywhere: nothing was repainted. White repaints.")
    if components.is_told_guidance and request.negative_prompt:
        said.append("This network is told the guidance as a number: it reads no negative prompt.")
    taps = [use for use in request.hooks if use.point.startswith(MODULE)]
    if components.compiled is not None and (taps or is_watched or request.ip_adapters):
        said.append(
            "A compiled network is not looked into or changed: this run used the plain one."
        )
    return tuple(said)
