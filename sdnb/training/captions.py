"""Wording of scenes: captions that vary and leave parts out.

Here is text only; the scenes are in ``world``.
"""

from random import Random

from sdnb.training.silhouettes import SILHOUETTES
from sdnb.training.world import BACKGROUNDS, COLOURS, SIZES, Scene, Thing

OPENINGS = ("", "", "", "a picture of ", "a drawing of ", "an image of ", "a painting of ")
PLACES: dict[str, tuple[str, ...]] = {
    "meadow": ("on a meadow", "in a meadow", "in the meadow"),
    "desert": ("in the desert", "in a desert", "on the desert sand"),
    "snow": ("in the snow", "on snow", "in snow"),
    "sea": ("at sea", "on the sea", "at the sea"),
    "night": ("at night", "in the night", "by night"),
    "room": ("in a room", "in the room", "inside a room"),
}
RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "left of": ("left of", "to the left of", "on the left of"),
    "right of": ("right of", "to the right of", "on the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
SIDE_WORDS: dict[str, tuple[str, ...]] = {
    "left of": ("left",),
    "right of": ("right",),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
"""The word of each phrase that says on which side the first thing is."""


def write_caption(scene: Scene, random: Random) -> str:
    """One of many wordings; size, place and seldom colour or relation are left out."""
    nouns = [write_noun(thing, random) for thing in scene.things]
    text = join_nouns(nouns, scene.relation, random)
    if random.random() < 0.25:
        return random.choice(OPENINGS) + text
    place = random.choice(PLACES[scene.background])
    if random.random() < 0.15:
        return f"{place}, {text}"
    return random.choice(OPENINGS) + text + random.choice((" ", ", ")) + place


def write_prompt(scene: Scene, random: Random) -> str:
    """A caption that states all that is asked of a picture: nothing but size is left out."""
    nouns = [write_noun(thing, random, colour_share=1.0) for thing in scene.things]
    text = nouns[0]
    if scene.relation is not None:
        text = f"{nouns[0]} {random.choice(RELATION_WORDS[scene.relation])} {nouns[1]}"
    place = random.choice(PLACES[scene.background])
    return random.choice(OPENINGS) + text + random.choice((" ", ", ")) + place


def write_noun(thing: Thing, random: Random, *, colour_share: float = 0.94) -> str:
    """A noun with or without article, size and colour: ``a small red circle``."""
    words = [thing.size] if random.random() < 0.5 else []
    if random.random() < colour_share:
        words.append(thing.colour)
    words.append(thing.kind)
    if random.random() < 0.85:
        words.insert(0, "an" if words[0][0] in "aeiou" else "a")
    return " ".join(words)


def join_nouns(nouns: list[str], relation: str | None, random: Random) -> str:
    """The nouns with their relation, or now and then with a mere ``and``."""
    if relation is None:
        return nouns[0]
    if random.random() < 0.05:
        return " and ".join(nouns)
    return f"{nouns[0]} {random.choice(RELATION_WORDS[relation])} {nouns[1]}"


def words() -> tuple[str, ...]:
    """All words that captions use, in alphabetical order."""
    phrases = [
        *OPENINGS,
        *(phrase for group in PLACES.values() for phrase in group),
        *(phrase for group in RELATION_WORDS.values() for phrase in group),
    ]
    names = [*SILHOUETTES, *COLOURS, *SIZES, *BACKGROUNDS, "a", "an", "and"]
    return tuple(sorted({word for text in (*phrases, *names) for word in text.split()}))
