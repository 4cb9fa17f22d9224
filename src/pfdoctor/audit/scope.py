"""What an audit is asked to look at: scopes by name or glob, and filters by tag, name, region, workspace and group."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.core.model import Json, PfdoctorError

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_GLOB = frozenset("*?[")
_FIELDS = ("tag", "name", "region", "workspace", "group")


class Filter(NamedTuple):
    """`region:eastus*`, `name:chat-*`, `workspace:…`, `group:…`, `tag:env=prod`, or `tag:env` for any value."""

    text: str
    field: str
    key: str
    pattern: str

    @staticmethod
    def parse(text: str) -> Filter:
        """Raises PfdoctorError for what is no filter."""
        field, colon, rest = text.partition(":")
        if not colon or field not in _FIELDS or not rest:
            raise PfdoctorError(
                f"{text!r} is no filter: write tag:KEY=GLOB, or name:, region:, workspace: or group: with a glob"
            )
        if field != "tag":
            return Filter(text, field, "", rest)
        key, equals, pattern = rest.partition("=")
        return Filter(text, field, key, pattern if equals else "*")

    def holds(self, endpoint: Endpoint) -> bool:
        if self.field == "tag":
            # names of tags are case-insensitive in Azure, their values are not
            return any(
                key.lower() == self.key.lower() and (value == self.pattern or fnmatchcase(value, self.pattern))
                for key, value in endpoint.tags.items()
            )
        values = {
            "name": endpoint.name,
            "region": endpoint.location or "",
            "workspace": endpoint.workspace,
            "group": endpoint.resource_group,
        }
        return matches(values[self.field], [self.pattern])


class Scope(NamedTuple):
    """What was asked for, as written; nothing at all means everything that the login sees.

    `include`: of each kind that is given, one has to hold. `exclude`: none may.
    """

    subscriptions: tuple[str, ...] = ()
    resource_groups: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    management_groups: tuple[str, ...] = ()
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()

    def to_json(self) -> dict[str, Json]:
        plain: dict[str, Json] = {name: list(getattr(self, name)) for name in self._fields[:4]}
        return {**plain, "include": [one.text for one in self.include], "exclude": [one.text for one in self.exclude]}

    def holds(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint of the subscriptions is meant."""
        if self.resource_groups and not matches(endpoint.resource_group, self.resource_groups):
            return False
        if self.workspaces and not matches(endpoint.workspace, self.workspaces):
            return False
        kinds = {(one.field, one.key.lower()) for one in self.include}
        held = {(one.field, one.key.lower()) for one in self.include if one.holds(endpoint)}
        return kinds == held and not any(one.holds(endpoint) for one in self.exclude)


def matches(value: str, patterns: Iterable[str]) -> bool:
    """Whether a glob matches, without regard to case, or the name itself: `[prod] chat` is both."""
    value = value.lower()
    return any(value == one or fnmatchcase(value, one) for one in map(str.lower, patterns))


def is_glob(text: str) -> bool:
    return not _GLOB.isdisjoint(text)


def is_subscription_id(text: str) -> bool:
    return _GUID.match(text) is not None
