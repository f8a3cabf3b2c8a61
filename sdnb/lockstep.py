"""Many runs side by side: what they ask at the same time goes through the networks together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from sdnb.errors import SdnbError
from sdnb.models.denoiser import Question
from sdnb.models.networks import Asked, Encode, Networks
from sdnb.run import Run


@dataclass(frozen=True, eq=False)
class Round:
    """One answer to every run that waited for one.

    Parameters
    ----------
    asked : tuple of int
        Which runs were told something.
    ended : tuple of int
        Which of the runs have nothing to ask any more: they have their pictures, or were
        cancelled.
    failed : mapping
        Run -> the error that ended it; it leaves the others alone.
    """

    asked: tuple[int, ...]
    ended: tuple[int, ...]
    failed: Mapping[int, SdnbError]


def lockstep(networks: Networks, runs: Sequence[Run]) -> Iterator[Round]:
    """Drive runs to their ends; whoever iterates may stop at any round and go on later.

    Hooks, samplers and networks compute while a round is taken: whoever takes it holds the
    pipeline's turn (`Pipeline.turn`), also for threads that it lets take rounds.

    An interrupt while the networks compute loses nothing but the round: runs wait at their
    questions, and are asked again by another call. The run into whose hook or sampler it falls
    cannot go on: another call reports it as failed, as it does any run that failed before.
    """
    active = dict(enumerate(runs))
    while active:
        waiting: dict[int, Asked] = {}
        failed: dict[int, SdnbError] = {}
        for number, run in active.items():
            try:
                asked = _next_question(networks, run)
            except SdnbError as error:
                failed[number] = error
            else:
                if asked is not None:
                    waiting[number] = asked
        ended = tuple(number for number in active if number not in waiting and number not in failed)
        if waiting:
            failed |= _answer(networks, runs, waiting)
        active = {number: active[number] for number in waiting if number not in failed}
        yield Round(tuple(waiting), ended, failed)


def _next_question(networks: Networks, run: Run) -> Asked | None:
    """Go on to what is worth waiting for: texts are encoded at once, and each of them once."""
    asked = run.ask()
    while isinstance(asked, Encode):
        began = perf_counter()
        vectors = networks.answer([asked])[0]
        run.tell(vectors, perf_counter() - began)
        asked = run.ask()
    return asked


def _answer(
    networks: Networks, runs: Sequence[Run], waiting: Mapping[int, Asked]
) -> dict[int, SdnbError]:
    """Answer all, and share the time among them; returns the errors that ended some."""
    failed: dict[int, SdnbError] = {}
    began = perf_counter()
    told = networks.answer(list(waiting.values()))
    seconds = (perf_counter() - began) / sum(map(_share, waiting.values()))
    for (number, asked), answer in zip(waiting.items(), told, strict=True):
        try:
            runs[number].tell(answer, seconds * _share(asked), is_shared=len(waiting) > 1)
        except SdnbError as error:
            failed[number] = error
    return failed


def _share(asked: Asked) -> int:
    return len(asked.x) * len(asked.branches) if isinstance(asked, Question) else 1
