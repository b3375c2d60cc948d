"""Events as somebody hears of them who listens: what comes, what is missing, and how far that goes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass

from analytics.storage.outbox import EventFilter, NumberedEvent
from serve.events.tail import EventTail

POSITION_S = 5.0
"""How often who waits for rare events is told how far he is: so much he would hear of again, were he cut off."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told at once.

    Attributes:
        position: after these events, number up to which there are no others that are wanted: whoever is cut off goes on
            from there.
        events: in their order.
        gap: what of that was asked for is not there: ``after`` which number, and the ``oldest`` that is.
    """

    position: int
    events: Sequence[NumberedEvent] = ()
    gap: Mapping[str, int] | None = None


async def telling(
    tail: EventTail,
    number: int,
    wanted: EventFilter,
    gap: Mapping[str, int] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Told]:
    """All events with larger numbers: first where it begins, then what there is and what comes, for ever.

    Ends where the database was set back: who comes again hears of that.

    Args:
        tail: where they come from.
        number: the last one that is known.
        wanted: which.
        gap: of what was asked for.
        clock: monotonic seconds.
    """
    # At once, also where nothing follows for a day: whoever is cut off until then must not begin at a later number.
    yield Told(number, gap=gap)
    told_s = clock()
    async with contextlib.aclosing(tail.listen(number, wanted, passing=True)) as listening:
        async for heard in listening:
            missing = None if heard.oldest is None else {"after": number, "oldest": heard.oldest}
            number = heard.upto
            if heard.events or missing is not None or clock() - told_s >= POSITION_S:
                told_s = clock()
                yield Told(number, heard.events, missing)
