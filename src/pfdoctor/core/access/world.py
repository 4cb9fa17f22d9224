"""The facts of `authorization`, indexed: which assignments, denies and locks bear on a question.

A list of a scope shows what is set there and above. So it counts for every scope below what it shows, and one of the
scope itself, or of any below it, can be complete for the scope.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from pfdoctor.core.access.reading import decoded, elements, field, moment, text
from pfdoctor.core.access.roles import Reach, reach
from pfdoctor.core.access.scopes import contains, is_management_group, normal
from pfdoctor.core.facts import NOT_COLLECTED
from pfdoctor.core.model import Json, Unknown

EVERYONE = "00000000-0000-0000-0000-000000000000"


class Row(NamedTuple):
    """An assignment, deny assignment or lock as read, and whether a list of the scope or of one below it has it."""

    fact: Json
    scope: str | None
    """Normal; None where it is not known."""
    own: bool

    def covers(self, scope: str) -> bool | None:
        """Whether it is set at the normal scope or above; None where that cannot be told.

        A management group is above whatever lists it: only a list of the scope, or of one below it, proves that.
        """
        if self.scope is None:
            return None
        if is_management_group(self.scope):
            return True if self.own or self.scope == scope else None
        return contains(self.scope, scope)


class World:
    """One case's facts `authorization`, and the time they were collected at."""

    def __init__(self, authorization: Json, now: Json = None) -> None:
        self.now: datetime | None = moment(now) if isinstance(now, str) else None
        known, self.why_incomplete = elements(field(authorization, "scopes"))
        if not known and self.why_incomplete is None and decoded(authorization) is None:
            self.why_incomplete = NOT_COLLECTED
        self._entries: dict[str, Json] = {}
        for entry in known:
            scope = text(entry, "scope")
            if scope is not None:
                self._entries.setdefault(normal(scope), entry)
        self._elsewhere, self.why_elsewhere = elements(field(authorization, "elsewhere"))
        self._definitions = field(authorization, "definitions")
        self._held: dict[tuple[str, str, bool], Reach] = {}
        self._asked: dict[tuple[str, str], tuple[list[Row], Unknown | None]] = {}
        self._listed: dict[tuple[str, str], tuple[list[Row], Unknown | None]] = {}
        self._groups: dict[str, frozenset[str]] = {}

    def exists(self, scope: str) -> Json:
        """Whether the resource exists: null where nothing was read at the normal scope."""
        return field(self._entries.get(scope), "exists")

    def rows(self, key: str, scope: str) -> tuple[list[Row], Unknown | None]:
        """The denies, locks, eligible or all assignments that were read anywhere, and why the scope's may not be all.

        `key` is a name of the schema: denies, locks, eligible or everyone.
        """
        found = self._listed.get((key, scope))
        if found is None:
            found = self._listed[key, scope] = self._rows(key, scope)
        return found

    def _rows(self, key: str, scope: str) -> tuple[list[Row], Unknown | None]:
        rows: list[Row] = []
        reasons: list[Unknown | None] = []
        for place, entry in self._entries.items():
            found, why = elements(field(entry, key))
            own = _lists(place, scope)
            rows += _rows(found, own=own)
            if own:
                reasons.insert(0 if place == scope else len(reasons), why)
        return rows, self._open(reasons)

    def _open(self, reasons: list[Unknown | None]) -> Unknown | None:
        """Why none of the lists that could be complete is; the first reason is the scope's own."""
        if None in reasons:
            return None
        if reasons:
            return reasons[0]
        return self.why_incomplete or Unknown("scope-not-read", "nothing was read at this scope")

    def assigned(self, principal: str, scope: str) -> tuple[list[Row], Unknown | None]:
        """The assignments that are the principal's, its groups' included, and why the scope's may not be all."""
        found = self._asked.get((principal, scope))
        if found is None:
            found = self._asked[principal, scope] = self._assigned(principal, scope)
        return found

    def _assigned(self, principal: str, scope: str) -> tuple[list[Row], Unknown | None]:
        rows: list[Row] = []
        reasons: list[Unknown | None] = []
        for place, entry in self._entries.items():
            found, why = _assigned(entry, principal)
            own = _lists(place, scope)
            rows += _rows(found, own=own)
            if own:
                reasons.insert(0 if place == scope else len(reasons), why)
        mine = {principal, *self.groups(principal)}
        everyone, _ = self.rows("everyone", scope)
        rows += [row for row in everyone if _lower(row.fact, "principal_id") in mine]
        rows += [row for row in _rows(self._elsewhere, own=False) if _lower(row.fact, "principal_id") == principal]
        return rows, self._open(reasons)

    def groups(self, principal: str) -> frozenset[str]:
        """The groups that the principal is known to be in: those whose assignments the service counts as its own."""
        groups = self._groups.get(principal)
        if groups is None:
            holders = {
                _lower(row, "principal_id")
                for entry in self._entries.values()
                for row in _assigned(entry, principal)[0]
            }
            groups = self._groups[principal] = frozenset(one for one in holders if one not in (None, principal))
        return groups

    def individuals(self) -> frozenset[str]:
        """The principals that are known to be no groups, by the type that an assignment gives."""
        found = set()
        for entry in self._entries.values():
            lists = [field(entry, "everyone"), field(entry, "eligible")]
            lists += [field(one, "assignments") for one in elements(field(entry, "assigned"))[0]]
            for rows in lists:
                found |= {_lower(row, "principal_id") for row in elements(rows)[0] if _is_individual(row)}
        return frozenset(one for one in found if one is not None)

    def definition(self, row: Json) -> Json:
        """The definition of the assignment's role; `Unknown` when it was not read."""
        role = role_of(row)
        if role is None:
            return Unknown("role-unknown", "the assignment names no role that is known")
        definitions = self._definitions
        if isinstance(definitions, dict) and "$incomplete" in definitions:
            why = Unknown.from_json(definitions["$incomplete"])
            return decoded(definitions.get("entries", {}).get(role, why.to_json()))
        if isinstance(definitions, dict):
            missing = Unknown("definition-not-read", f"the definition of the role {role} was not read")
            return decoded(definitions.get(role, missing.to_json()))
        return definitions if isinstance(definitions, Unknown) else NOT_COLLECTED

    def held(self, row: Json, action: str, *, data: bool) -> Reach:
        """How far the assignment's role holds the action."""
        key = (role_of(row) or "", action, data)
        found = self._held.get(key)
        if found is None:
            definition = self.definition(row)
            permissions = definition if isinstance(definition, Unknown) else field(definition, "permissions")
            found = reach(permissions, action, data=data, code="DEFINITION_UNREADABLE")
            self._held[key] = found
        return found

    def is_built_in(self, row: Json) -> bool:
        return text(self.definition(row), "type") == "BuiltInRole"

    def role_name(self, row: Json) -> str:
        """The name of the assignment's role, or its GUID where the name is not known."""
        return text(self.definition(row), "name") or role_of(row) or "a role that is not known"


def _lists(place: str, scope: str) -> bool:
    """Whether a list read at `place` shows all that is set at `scope` and above."""
    return place == scope or (scope.startswith("/subscriptions/") and contains(scope, place))


@lru_cache(maxsize=4096)
def _role_id(text_: str) -> str:
    return text_.rstrip("/").rpartition("/")[2].lower()


def role_of(row: Json) -> str | None:
    """The GUID of the assignment's role."""
    found = text(row, "role_id") or text(row, "role_definition_id")
    return _role_id(found) if found else None


def _assigned(entry: Json, principal: str) -> tuple[list[Json], Unknown | None]:
    """The rows of the entry that answer for the principal, and why they may not be all."""
    lists, why = elements(field(entry, "assigned"))
    mine = [one for one in lists if _lower(one, "principal_id") == principal]
    if not mine:
        return [], why or Unknown("not-collected", "the assignments of this principal were not read at this scope")
    found: list[Json] = []
    reasons: list[Unknown | None] = []
    for one in mine:
        rows, missing = elements(field(one, "assignments"))
        found += rows
        reasons.append(missing)
    return found, None if None in reasons else reasons[0]


def _rows(facts: list[Json], *, own: bool) -> list[Row]:
    rows = []
    for fact in facts:
        scope = text(fact, "scope")
        rows.append(Row(fact, normal(scope) if scope is not None else None, own))
    return rows


def _lower(node: Json, key: str) -> str | None:
    value = text(node, key)
    return value.lower() if value is not None else None


def _is_individual(row: Json) -> bool:
    kind = text(row, "principal_type")
    return kind is not None and kind.lower() in ("user", "serviceprincipal", "device")
