"""The nearest miss: the assignment that comes closest to granting an operation, and in what it falls short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pfdoctor.core.access.evaluate import Question
from pfdoctor.core.access.patterns import is_misprint, same_type
from pfdoctor.core.access.reading import elements, field, text, texts
from pfdoctor.core.access.roles import NONE, Reach
from pfdoctor.core.access.scopes import contains, is_management_group, normal
from pfdoctor.core.access.world import Row, World, role_of
from pfdoctor.core.model import Json, Unknown

# Owner, Contributor, Reader, User Access Administrator, Role Based Access Control Administrator, Azure AI
# Administrator: somebody always has one of them somewhere, which says nothing about who was meant.
BROAD = frozenset(
    (
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        "b78c5d69-af96-48a3-bf8d-a8b4d589de94",
    )
)
# AcrPull, Storage Blob Data Reader and AzureML Metrics Writer (preview). Source: Microsoft Learn, "Authentication and
# authorization for online endpoints".
GIVEN = frozenset(
    (
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        "635dd51f-9968-44d3-b7fb-6d9a6bd613ae",
    )
)
CLIENT_ID = "its client id"
DELETED = "a principal that no longer exists"


_PREFERENCE = (
    "PIM_ELIGIBLE_ONLY",
    "ASSIGNED_BELOW_TARGET",
    "EXCLUDED_BY_NOTACTIONS",
    "CONTROL_PLANE_ROLE_FOR_DATA_ACTION",
    "DATA_ROLE_FOR_CONTROL_ACTION",
    "CUSTOM_ROLE_NAMESPACE_TYPO",
    "WRONG_SCOPE",
    "ORPHAN_OR_OTHER_PRINCIPAL",
    "OTHER_PRINCIPAL",
    "ROLE_LACKS_ACTION",
    "NO_ASSIGNMENT",
)
"""The codes of misses, the one that is told first."""


class Miss(NamedTuple):
    """A nearest miss: its code, the assignment, and, for one of somebody else, who that is."""

    code: str
    row: Row | None
    principal: str | None = None
    pattern: str | None = None


def nearest(question: Question, world: World, others: Mapping[str, str], *, eligible: bool) -> Miss:
    """The nearest miss of an operation that no role grants.

    `others`: principals that are taken for the one meant, in lower case, and what they are; among them the client id as
    CLIENT_ID. `eligible`: whether the eligible assignments that were read are this principal's.
    """
    principal, scope = question.principal_id.lower(), normal(question.scope)
    mine = _unique(world.assigned(principal, scope)[0])
    covering = [row for row in mine if row.covers(scope)]

    def held(row: Row) -> Reach:
        return world.held(row.fact, question.action, data=question.data)

    def first(rows: Iterable[Row], fits: Callable[[Row], bool]) -> Row | None:
        return min((row for row in rows if fits(row)), key=_rank, default=None)

    def grants(row: Row) -> bool:
        return held(row).least > NONE

    if eligible:
        row = first(world.rows("eligible", scope)[0], lambda one: one.covers(scope) is True and grants(one))
        if row is not None:
            return Miss("PIM_ELIGIBLE_ONLY", row, pattern=held(row).pattern)
    row = first(mine, lambda one: _is_below(one, scope) and grants(one))
    if row is not None:
        return Miss("ASSIGNED_BELOW_TARGET", row, pattern=held(row).pattern)
    row = first(covering, lambda one: held(one).excluded_by is not None)
    if row is not None:
        return Miss("EXCLUDED_BY_NOTACTIONS", row, pattern=held(row).excluded_by)
    miss = _wrong_plane(question, world, covering) or _misprinted(question, world, covering)
    if miss is not None:
        return miss
    row = first(mine, lambda one: _is_apart(one, scope) and grants(one))
    if row is not None:
        return Miss("WRONG_SCOPE", row, pattern=held(row).pattern)
    miss = _someone_else(question, world, others)
    if miss is not None:
        return miss
    # what a system-assigned identity gets by itself says nothing of what somebody meant to grant
    row = min(
        covering,
        key=lambda one: (role_of(one.fact) in GIVEN, -_kinship(question, world, one), _rank(one)),
        default=None,
    )
    return Miss("ROLE_LACKS_ACTION" if row is not None else "NO_ASSIGNMENT", row)


def unread(question: Question, world: World, miss: Miss, *, eligible: bool) -> Unknown | None:
    """Why a miss that would come before this one may have been overlooked: a list or definition that was not read."""
    scope, rank = normal(question.scope), _PREFERENCE.index(miss.code)
    reasons: list[Unknown | None] = []
    mine = world.assigned(question.principal_id.lower(), scope)[0]
    if eligible and rank > _PREFERENCE.index("PIM_ELIGIBLE_ONLY"):
        rows, why = world.rows("eligible", scope)
        reasons += [why, _undefined(world, (one for one in rows if one.covers(scope) is True))]
    if rank > _PREFERENCE.index("ASSIGNED_BELOW_TARGET"):
        reasons += [world.why_elsewhere, _undefined(world, (one for one in mine if _is_below(one, scope)))]
    if rank > _PREFERENCE.index("WRONG_SCOPE"):
        reasons.append(_undefined(world, (one for one in mine if _is_apart(one, scope))))
    if rank > _PREFERENCE.index("OTHER_PRINCIPAL"):
        reasons.append(world.rows("everyone", scope)[1])
    return next((one for one in reasons if one is not None), None)


def _undefined(world: World, rows: Iterable[Row]) -> Unknown | None:
    """Why it is not known what one of the assignments grants, if so."""
    definitions = (world.definition(row.fact) for row in rows)
    return next((one for one in definitions if isinstance(one, Unknown)), None)


def _kinship(question: Question, world: World, row: Row) -> int:
    """How near the role comes: the segments of the resource type that it may do something else with."""
    segments = question.action.split("/")
    kind = segments[:-2] if segments[-1].lower() == "action" else segments[:-1]
    for depth in range(len(kind), 1, -1):
        actions = (f"{'/'.join(kind[:depth])}/{verb}" for verb in ("read", "write", "delete"))
        if any(world.held(row.fact, action, data=question.data).least > NONE for action in actions):
            return depth
    return 0


def _rank(row: Row) -> tuple[int, str]:
    """The narrowest scope first."""
    return (-len(row.scope or ""), (text(row.fact, "id") or "").lower())


def _unique(rows: list[Row]) -> list[Row]:
    """Each assignment once: the row of the scope's own list before that of another."""
    found: dict[str, Row] = {}
    for index, row in enumerate(rows):
        key = (text(row.fact, "id") or f"#{index}").lower()
        if key not in found or (row.own and not found[key].own):
            found[key] = row
    return list(found.values())


def _is_below(row: Row, scope: str) -> bool:
    return row.scope is not None and row.scope != scope and contains(scope, row.scope)


def _is_apart(row: Row, scope: str) -> bool:
    if row.scope is None or is_management_group(row.scope):
        return False
    return not contains(row.scope, scope) and not contains(scope, row.scope)


def _patterns(world: World, row: Row, key: str) -> list[str]:
    permissions, _ = elements(field(world.definition(row.fact), "permissions"))
    return [one for permission in permissions for one in texts(field(permission, key))[0]]


def _wrong_plane(question: Question, world: World, rows: list[Row]) -> Miss | None:
    """A role whose actions are of the resource, and of the other plane."""
    other, own, code = (
        ("actions", "data_actions", "CONTROL_PLANE_ROLE_FOR_DATA_ACTION")
        if question.data
        else ("data_actions", "actions", "DATA_ROLE_FOR_CONTROL_ACTION")
    )
    for row in sorted(rows, key=_rank):
        if any(same_type(one, question.action) for one in _patterns(world, row, own)):
            continue
        pattern = next((one for one in _patterns(world, row, other) if same_type(one, question.action)), None)
        if pattern is not None:
            return Miss(code, row, pattern=pattern)
    return None


def _misprinted(question: Question, world: World, rows: list[Row]) -> Miss | None:
    for row in sorted(rows, key=_rank):
        if text(world.definition(row.fact), "type") == "CustomRole":
            keys = ("actions", "data_actions")
            patterns = [one for key in keys for one in _patterns(world, row, key)]
            pattern = next((one for one in patterns if is_misprint(one, question.action)), None)
            if pattern is not None:
                return Miss("CUSTOM_ROLE_NAMESPACE_TYPO", row, pattern=pattern)
    return None


def _someone_else(question: Question, world: World, others: Mapping[str, str]) -> Miss | None:
    """The role as granted to the client id, to a neighbour, to a deleted principal; then to any other identity."""
    principal, scope = question.principal_id.lower(), normal(question.scope)
    mine = {principal, *world.groups(principal)}
    found: list[tuple[Row, str | None]] = []
    for row in sorted(_unique(world.rows("everyone", scope)[0]), key=_rank):
        holder = (text(row.fact, "principal_id") or "").lower()
        if holder in mine or row.covers(scope) is not True:
            continue
        if world.held(row.fact, question.action, data=question.data).least == NONE:
            continue
        who = DELETED if field(row.fact, "principal_exists") is False else others.get(holder)
        if who != CLIENT_ID and role_of(row.fact) in BROAD:
            continue
        if who is None and not _is_identity(row.fact):
            continue
        found.append((row, who))
    known = next(((row, who) for row, who in found if who is not None), None)
    if known is not None:
        return Miss("ORPHAN_OR_OTHER_PRINCIPAL", known[0], known[1], _pattern(question, world, known[0]))
    if found:
        return Miss("OTHER_PRINCIPAL", found[0][0], None, _pattern(question, world, found[0][0]))
    return None


def _pattern(question: Question, world: World, row: Row) -> str | None:
    return world.held(row.fact, question.action, data=question.data).pattern


def _is_identity(row: Json) -> bool:
    return (text(row, "principal_type") or "").lower() == "serviceprincipal"
