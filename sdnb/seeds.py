"""Which seed the next run takes: ``--after fixed|increment|decrement|randomize``."""

from sdnb.errors import UnknownName

AFTER = ("fixed", "increment", "decrement", "randomize")
"""What can become of the seed after a run; ComfyUI calls it control_after_generate."""

_SEEDS = 2**64


def read_after(text: str) -> str:
    """Return one of `AFTER`, or raise `UnknownName` with the nearest."""
    if text not in AFTER:
        raise UnknownName.among("way to go on from a seed", text, AFTER)
    return text


def seed_after(seed: int, *, batch_size: int, after: str) -> int | None:
    """Return the seed that follows ``seed``; None when it is to be drawn.

    Increment and decrement move by the batch, whose images use ``seed + i``: no image comes
    twice. They wrap around at 2**64.
    """
    moves = {"fixed": 0, "increment": batch_size, "decrement": -batch_size}
    return (seed + moves[after]) % _SEEDS if after in moves else None
