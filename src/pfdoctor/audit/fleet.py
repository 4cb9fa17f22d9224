"""The endpoints of an audit, and which of them belong to a shard."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pfdoctor.collect.azure.target import Target
from pfdoctor.core.model import Json, PfdoctorError


class Endpoint(NamedTuple):
    """An online endpoint as the inventory lists it. `id` is its resource id."""

    id: str
    name: str
    workspace: str
    resource_group: str
    subscription: str
    location: str | None
    tags: Mapping[str, str]

    @property
    def key(self) -> str:
        """Its identity: Azure Resource Manager does not tell upper from lower case."""
        return self.id.lower()

    @property
    def target(self) -> Target:
        return Target(self.subscription, self.resource_group, self.workspace, self.name)

    def to_json(self) -> dict[str, Json]:
        return {**self._asdict(), "tags": dict(self.tags)}


_LONGEST = 20
"""Characters of a shard: nobody has a billion machines."""


class Shard(NamedTuple):
    """One part of `of`, counted from 1. Which part an endpoint belongs to hangs on its id alone."""

    part: int
    of: int

    @staticmethod
    def parse(text: str) -> Shard:
        """`2/4`. Raises PfdoctorError for anything else."""
        part, _, of = text.partition("/")
        if not (part.isdecimal() and of.isdecimal() and len(text) < _LONGEST and 1 <= int(part) <= int(of)):
            raise PfdoctorError(f"--shard {text}: it is I/N with I from 1 to N, such as 2/4")
        return Shard(int(part), int(of))

    def holds(self, endpoint: Endpoint) -> bool:
        digest = hashlib.sha256(endpoint.key.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.part - 1

    def to_json(self) -> dict[str, Json]:
        return {"index": self.part, "of": self.of}


def interleaved(endpoints: Iterable[Endpoint], lanes: int = 50) -> Iterator[Endpoint]:
    """The endpoints in the order to read them: subscriptions by turns, for each has a limit of its own.

    At most `lanes` of them take turns, and within each it goes workspace by workspace: so what endpoints share is
    still at hand when the next one wants it.
    """
    waiting: defaultdict[str, deque[Endpoint]] = defaultdict(deque)
    for endpoint in sorted(endpoints, key=lambda one: one.key):
        waiting[endpoint.subscription.lower()].append(endpoint)
    coming = deque(waiting.values())
    turns = deque(coming.popleft() for _ in range(min(lanes, len(coming))))
    while turns:
        lane = turns.popleft()
        yield lane.popleft()
        if lane:
            turns.append(lane)
        elif coming:
            turns.append(coming.popleft())
