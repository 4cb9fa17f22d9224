"""The endpoints of an audit, and which of them belong to a shard."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import NamedTuple

from pfdoctor.collect.azure import Target
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


class Shard(NamedTuple):
    """One part of `of`, counted from 1. Which part an endpoint belongs to hangs on its id alone."""

    part: int
    of: int

    @staticmethod
    def parse(text: str) -> Shard:
        """`2/4`. Raises PfdoctorError for anything else."""
        part, _, of = text.partition("/")
        if not (part.isdecimal() and of.isdecimal() and 1 <= int(part) <= int(of)):
            raise PfdoctorError(f"--shard {text}: it is I/N with I from 1 to N, such as 2/4")
        return Shard(int(part), int(of))

    def holds(self, endpoint: Endpoint) -> bool:
        digest = hashlib.sha256(endpoint.key.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.part - 1

    def to_json(self) -> dict[str, Json]:
        return {"index": self.part, "of": self.of}


def interleaved(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The endpoints in the order to read them: the subscriptions by turns, for each has a limit of its own.

    Within a subscription workspace by workspace, so that what its endpoints share is at hand.
    """
    lanes: defaultdict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in sorted(endpoints, key=lambda one: one.key):
        lanes[endpoint.subscription.lower()].append(endpoint)
    return [one for one in chain.from_iterable(zip_longest(*lanes.values())) if one is not None]
