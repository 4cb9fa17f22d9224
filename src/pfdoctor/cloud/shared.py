"""Readings that many share: each is read once at a time, and kept while there is room for it."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from pfdoctor.cloud.reading import Reading
from pfdoctor.core.model import Unknown

Key: TypeAlias = tuple[str, str, str]
"""Method, address in lower case, and what else tells requests apart."""

_SETTLED = frozenset(("not-found", "forbidden", "refused", "redirected"))
"""Reasons that asking again does not change."""
_MOST_TRIES = 3


class Shared:
    """The readings, at most `room` of them: the one that nobody asked for the longest goes first.

    A reading that failed for a reason which passes is asked for again by the next who wants it, three times in all.
    `kept` is told of each reading that stays, once.
    """

    def __init__(self, room: int, kept: Callable[[Key, Reading], None] = lambda _, __: None) -> None:
        self._room = room
        self._kept = kept
        self._readings: OrderedDict[Key, Reading] = OrderedDict()
        self._begun: dict[Key, asyncio.Task[Reading]] = {}
        self._failures: Counter[Key] = Counter()

    def put(self, key: Key, reading: Reading) -> None:
        """Adds a reading that was made before."""
        self._readings[key] = reading
        self._readings.move_to_end(key)
        while len(self._readings) > self._room:
            self._readings.popitem(last=False)

    async def once(self, key: Key, read: Callable[[], Awaitable[Reading]]) -> Reading:
        """The reading of that key; `read` makes it where there is none."""
        reading = self._readings.get(key)
        if reading is not None:
            self._readings.move_to_end(key)
            return reading
        task = self._begun.get(key)
        if task is None:
            task = self._begun[key] = asyncio.ensure_future(self._read(key, read))
            # an error that nobody waits for any longer is none
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        # one that stops waiting must not take the answer away from the others
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Ends what is still being read."""
        begun = list(self._begun.values())
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

    async def _read(self, key: Key, read: Callable[[], Awaitable[Reading]]) -> Reading:
        try:
            reading = await read()
        finally:
            del self._begun[key]
        if is_settled(reading) or self._failures[key] >= _MOST_TRIES - 1:
            self.put(key, reading)
            if is_settled(reading):
                self._kept(key, reading)
        else:
            self._failures[key] += 1
        return reading


def passes(why: Unknown) -> bool:
    """Whether what kept something from being read may be over when it is asked for again."""
    return why.code not in _SETTLED


def is_settled(reading: Reading) -> bool:
    """Whether there is no use in reading it again."""
    why = reading.unknown or reading.incomplete
    return why is None or not passes(why)
