"""Readings that many share: each is read once at a time, and kept while there is room for it."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from pfdoctor.cloud.reading import Reading
from pfdoctor.core.model import Json, Unknown

Key: TypeAlias = tuple[str, str, str]
"""Method, address in lower case, and what else tells requests apart."""

_SETTLED = frozenset(("not-found", "forbidden", "refused", "redirected"))
"""Reasons that asking again does not change."""
_MOST_TRIES = 3


class Made(NamedTuple):
    """What was made of readings, and those of them that failed."""

    value: Json
    failures: dict[Key, Unknown]


class Shared:
    """The readings, at most `room` of them: the one that nobody asked for the longest goes first.

    So it is with what was made of readings, which is kept where none of them failed for a reason that passes.

    A reading that failed for a reason which passes is asked for again by the next who wants it, three times in all.
    `kept` is told of each reading that stays, once.
    """

    def __init__(self, room: int, kept: Callable[[Key, Reading], None] = lambda _, __: None) -> None:
        self._room = room
        self._kept = kept
        self._readings: OrderedDict[Key, Reading] = OrderedDict()
        self._begun: dict[Key, asyncio.Task[Reading]] = {}
        self._made: OrderedDict[tuple[object, ...], Made] = OrderedDict()
        self._making: dict[tuple[object, ...], asyncio.Task[Made]] = {}
        self._failures: Counter[Key] = Counter()

    def put(self, key: Key, reading: Reading) -> None:
        """Adds a reading that was made before."""
        self._readings[key] = reading
        self._readings.move_to_end(key)
        while len(self._readings) > self._room:
            self._readings.popitem(last=False)

    def read_before(self, key: Key) -> Reading | None:
        """The reading of that key, if it is there."""
        reading = self._readings.get(key)
        if reading is not None:
            self._readings.move_to_end(key)
        return reading

    def made_before(self, key: tuple[object, ...]) -> Made | None:
        """What was made by that key, if it is there."""
        made = self._made.get(key)
        if made is not None:
            self._made.move_to_end(key)
        return made

    async def once(self, key: Key, read: Callable[[], Awaitable[Reading]]) -> Reading:
        """The reading of that key; `read` makes it where there is none."""
        reading = self.read_before(key)
        if reading is not None:
            return reading
        task = self._begun.get(key)
        if task is None:
            task = self._begun[key] = asyncio.ensure_future(self._read(key, read))
            # an error that nobody waits for any longer is none
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        # one that stops waiting must not take the answer away from the others
        return await asyncio.shield(task)

    async def made(self, key: tuple[object, ...], make: Callable[[], Awaitable[Made]]) -> Made:
        """What was made by that key; `make` makes it where there is nothing."""
        made = self.made_before(key)
        if made is not None:
            return made
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.ensure_future(self._make(key, make))
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return await asyncio.shield(task)

    async def _make(self, key: tuple[object, ...], make: Callable[[], Awaitable[Made]]) -> Made:
        try:
            made = await make()
        finally:
            del self._making[key]
        if not any(map(passes, made.failures.values())):
            self._made[key] = made
            while len(self._made) > self._room:
                self._made.popitem(last=False)
        return made

    async def close(self) -> None:
        """Ends what is still being read."""
        begun = [*self._making.values(), *self._begun.values()]
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
