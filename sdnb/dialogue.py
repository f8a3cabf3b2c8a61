"""What a run says, event by event and question by question, whatever comes between.

Who answers the questions, and who looks at the events, is in `sdnb.run`.
"""

from collections.abc import Generator
from inspect import GEN_CLOSED, getgeneratorstate

from sdnb.asking import Sent, Yielded
from sdnb.errors import SdnbError
from sdnb.events import Event
from sdnb.models.networks import Asked, Told


class Dialogue:
    """The events and questions of one run, to its end or as far as it can go.

    Attributes
    ----------
    held : Event or None
        The last event.
    ended_by : Exception or None
        What broke it; each further turn raises it again.
    """

    def __init__(self, events: Generator[Yielded, Sent, None]) -> None:
        self._events = events
        self._waiting: Asked | None = None  # asked, not yet answered: an interrupt came between
        self._is_cancelled = False
        self._is_saying = False
        self.held: Event | None = None
        self.ended_by: Exception | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return getgeneratorstate(self._events) == GEN_CLOSED

    def cancel(self) -> None:
        """End it at the next turn."""
        self._is_cancelled = True

    def go_on(self) -> Event | Asked:
        """Return the question that waits, or else what is said next; StopIteration at the end."""
        if self._is_saying:  # an interrupt came between what was said and its being heard
            self.ended_by = self.ended_by or _interrupted()
        if self._is_cancelled:
            self._events.close()
            self._waiting = None
        elif self.ended_by is not None:
            raise self.ended_by
        return self._waiting or self.say()

    def say(self, told: Told | SdnbError | None = None) -> Event | Asked:
        """Return what is said to an answer; what is asked waits until it is answered.

        An error in place of an answer is raised where the question was asked.
        """
        events = self._events
        self._is_saying = True
        try:
            said = events.throw(told) if isinstance(told, SdnbError) else events.send(told)
        except StopIteration:
            self._is_saying = False
            raise
        except BaseException as error:
            if self.has_ended:
                self._waiting, self._is_saying = None, False
                self.ended_by = error if isinstance(error, Exception) else _interrupted()
            raise
        self._waiting = None if isinstance(said, Event) else said
        if isinstance(said, Event):
            self.held = said
        self._is_saying = False
        return said


def _interrupted() -> SdnbError:
    return SdnbError(
        "an interrupt fell into a hook or the sampler of this run, which cannot go on.",
        fix="run.cancel() and run.finish() give what there is; start it again for the whole",
    )
