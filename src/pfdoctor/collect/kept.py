"""Facts that many cases share: made once, and settled once."""

from __future__ import annotations

from typing import NamedTuple

from pfdoctor.core.model import Json


class Settled(NamedTuple):
    """What settling made of facts that stand at one path: nobody may change either."""

    facts: Json
    origins: dict[str, Json]


class Kept(dict[str, Json]):
    """Facts of which it is remembered what they came to, by the path and the name that they stand under.

    Whoever wants to change them makes a dict of their own.
    """

    __slots__ = ("settled",)

    def __init__(self, facts: dict[str, Json]) -> None:
        super().__init__(facts)
        self.settled: dict[tuple[str, str | None], Settled] = {}


def keep(facts: Json) -> Json:
    """The same facts, settled once wherever they stand at one path."""
    return Kept(facts) if isinstance(facts, dict) else facts
