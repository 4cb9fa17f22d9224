"""Whether a principal may do an action at a scope: role assignments, deny assignments, locks and conditions.

Each of the three is narrowed to what it is at least and at most, given what nobody could observe. A verdict is given
when both ends agree on whether the operation succeeds; then it is the weaker of the two: NOT_ALLOWED (no role grants
it) stands although a deny assignment might forbid it besides. Learning a fact can make a verdict sharper
(NOT_ALLOWED → BLOCKED → DENIED, CONDITIONAL → ALLOWED_PENDING → ALLOWED), never turn it round.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from pfdoctor.core.access.reading import field, moment, text, texts
from pfdoctor.core.access.roles import (
    CONDITIONAL,
    FULL,
    NONE,
    Blame,
    Reach,
    condition_reach,
    reach,
)
from pfdoctor.core.access.scopes import is_management_group, normal
from pfdoctor.core.access.world import EVERYONE, Row, World
from pfdoctor.core.model import Json, Unknown

# How long a fresh grant may take to work. Ten minutes is Azure Resource Manager's cache; a group's members come with
# the token of a managed identity, cached for a day; data actions at a management group "can take several hours".
# https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
FRESH = timedelta(minutes=10)
FRESH_THROUGH_GROUP = timedelta(hours=24)
FRESH_DATA_AT_MANAGEMENT_GROUP = timedelta(hours=4)
CLOCKS_DIFFER = timedelta(minutes=2)
"""By which the case's time may be behind an assignment's without its age losing its sense: Azure has many clocks, and
where its answers had no date the case's time is the machine's."""

PENDING, GRANTED = 2, 3
"""How far a grant reaches, above NONE and CONDITIONAL: it is fresh; it is in force."""


class Question(NamedTuple):
    """An action (`data`: a data action) of a principal (an object id) at a scope.

    `through_arm`: whether the request goes through Azure Resource Manager, whose locks stop it.
    """

    action: str
    data: bool
    scope: str
    principal_id: str
    through_arm: bool = True


class Grant(NamedTuple):
    """An assignment that holds the action at the scope, and how far at least and at most."""

    row: Row
    least: int
    most: int
    held: Reach
    condition: str | None
    direct: bool
    age: timedelta | None


class Proof(NamedTuple):
    """What a verdict rests on. `grant` is the best of the assignments, `by` the deny assignment or lock."""

    verdict: str
    grant: Grant | None
    by: Row | None
    by_condition: str | None
    blame: tuple[Blame, ...]
    granted_least: int
    granted_most: int
    why_open: Unknown | None = None
    """Why a grant under a condition, or a fresh one, may be a sure one; None where it is not."""


class _Side(NamedTuple):
    """One of the three things that decide: what it is at least and at most, by what, and what keeps it open."""

    least: int
    most: int
    by: Row | None
    condition: str | None
    blame: tuple[Blame, ...]


def evaluate(question: Question, world: World) -> Proof:
    """The verdict on the question and what it rests on."""
    grants, granted = _granted(question, world)
    denied = _denied(question, world)
    locked = _locked(question, world)
    best = max(grants, key=_preference, default=None)

    def proof(verdict: str, side: _Side | None = None, blame: tuple[Blame, ...] = ()) -> Proof:
        by, condition = (side.by, side.condition) if side is not None else (None, None)
        return Proof(verdict, best, by, condition, blame, granted.least, granted.most)

    if denied.least == FULL:
        return proof("DENIED", denied)
    if locked.least == FULL:
        return proof("BLOCKED", locked)
    open_ends = (
        *(granted.blame if granted.least < granted.most else ()),
        *(denied.blame if denied.most == FULL else ()),
        *(locked.blame if locked.most == FULL else ()),
    )
    if granted.most == NONE:
        return proof("NOT_ALLOWED", blame=(*denied.blame, *locked.blame))
    if granted.least == NONE or FULL in (denied.most, locked.most):
        return proof("UNKNOWN", blame=open_ends)
    if denied.most == CONDITIONAL:
        why = None if denied.least == CONDITIONAL else _first_reason(denied.blame)
        return proof("CONDITIONAL", denied)._replace(why_open=why)
    if granted.least in (CONDITIONAL, PENDING) and granted.least < granted.most:
        verdict = "CONDITIONAL" if granted.least == CONDITIONAL else "ALLOWED_PENDING"
        return proof(verdict)._replace(why_open=_first_reason(granted.blame))
    return proof({CONDITIONAL: "CONDITIONAL", PENDING: "ALLOWED_PENDING"}.get(granted.least, "ALLOWED"))


def _first_reason(blame: tuple[Blame, ...]) -> Unknown:
    """What keeps a verdict open; an age that nothing is blamed for is one between the two waits."""
    return blame[0].reason if blame else _MAY_STILL_WAIT


_MAY_STILL_WAIT = Unknown(
    "fresh", "the grant is fresh, and may or may not be in force by now", collect_command="pfdoctor diagnose"
)


def _preference(grant: Grant) -> tuple[int, int, bool, bool, int, str]:
    """The surest first; of equals the exact match, the direct one, the narrowest scope."""
    scope = grant.row.scope or ""
    identifier = (text(grant.row.fact, "id") or "").lower()
    return (grant.least, min(grant.most, FULL), not grant.held.lenient, grant.direct, len(scope), identifier)


def _granted(question: Question, world: World) -> tuple[list[Grant], _Side]:
    principal, scope = question.principal_id.lower(), normal(question.scope)
    rows, why = world.assigned(principal, scope)
    grants: list[Grant] = []
    blame: list[Blame] = []
    for row in rows:
        covers = row.covers(scope)
        if covers is False or (covers is None and not row.own):
            continue
        if world.held(row.fact, question.action, data=question.data).most == NONE:
            continue
        grant, unclear = _grant(question, world, row)
        if covers is None:
            unclear = (*unclear, Blame("ASSIGNMENTS_UNREADABLE", Unknown("scope-unknown", "its scope is not known")))
            grant = grant._replace(least=NONE)
        if grant.most > NONE:
            grants.append(grant)
            blame += unclear
    most = max((one.most for one in grants), default=NONE)
    if why is not None:
        blame.insert(0, Blame("ASSIGNMENTS_UNREADABLE", why))
        most = GRANTED
    least = max((one.least for one in grants), default=NONE)
    return grants, _Side(least, most, None, None, tuple(blame))


def _grant(question: Question, world: World, row: Row) -> tuple[Grant, tuple[Blame, ...]]:
    """What the assignment grants if it covers the scope."""
    held = world.held(row.fact, question.action, data=question.data)
    blame = held.blame
    condition = field(row.fact, "condition")
    least, most = condition_reach(condition, question.action)
    if isinstance(condition, Unknown):
        blame = (*blame, Blame("ASSIGNMENTS_UNREADABLE", condition))
    stated = condition if isinstance(condition, str) and most == CONDITIONAL else held.condition
    least, most = min(least, held.least), min(most, held.most)
    holder = text(row.fact, "principal_id")
    direct = holder is not None and holder.lower() == question.principal_id.lower()
    age, effective = _freshness(question, world, row)
    least = effective[0] if least == FULL else least
    most = effective[1] if most == FULL else most
    return Grant(row, least, most, held, stated, direct, age), blame


def _freshness(question: Question, world: World, row: Row) -> tuple[timedelta | None, tuple[int, int]]:
    """The age of the assignment where it is known, and whether it is in force by now, at least and at most."""
    times: list[datetime] = []
    unknown = world.now is None
    for key in ("created_at", "updated_at"):
        value = field(row.fact, key)
        at = moment(value) if isinstance(value, str) else None
        if at is not None:
            times.append(at)
        elif value is not None:
            unknown = True
    age = world.now - max(times) if world.now is not None and times else None
    if age is not None and age < -CLOCKS_DIFFER:
        # the case's clock is behind that of the assignment: no age can be told
        return None, (PENDING, GRANTED)
    age = max(age, timedelta()) if age is not None else None
    shortest, longest = fresh_after(question, world, row)
    if age is not None and age <= shortest:
        return age, (PENDING, PENDING)
    if unknown or (age is not None and age <= longest):
        return age, (PENDING, GRANTED)
    return age, (GRANTED, GRANTED)


def fresh_after(question: Question, world: World, row: Row) -> tuple[timedelta, timedelta]:
    """How long the assignment may take to work: at least and at most, for whose it is may not be known."""
    wait = FRESH
    if question.data and row.scope is not None and is_management_group(row.scope) and world.is_built_in(row.fact):
        wait = FRESH_DATA_AT_MANAGEMENT_GROUP
    holder = text(row.fact, "principal_id")
    if holder is None:
        return wait, FRESH_THROUGH_GROUP
    if holder.lower() != question.principal_id.lower():
        # membership comes with the token: one that was issued after the grant has it at once
        return wait, FRESH_THROUGH_GROUP
    return wait, wait


def _denied(question: Question, world: World) -> _Side:
    scope = normal(question.scope)
    rows, why = world.rows("denies", scope)
    sides = []
    membership = _Membership(question.principal_id.lower(), world) if rows else None
    for row in rows:
        covers = row.covers(scope)
        if covers is False or (covers is None and not row.own) or membership is None:
            continue
        sides.append(_deny(question, row, covers, membership))
    return _gather(sides, why, "DENY_ASSIGNMENTS_UNREADABLE")


def _deny(question: Question, row: Row, covers: bool | None, membership: _Membership) -> _Side:
    code = "DENY_ASSIGNMENTS_UNREADABLE"
    held = reach(field(row.fact, "permissions"), question.action, data=question.data, denies=True, code=code)
    least, most, blame = held.least, held.most, list(held.blame)
    if covers is None:
        least = NONE
        blame.append(Blame(code, Unknown("scope-unknown", "its scope is not known")))
    if row.scope != normal(question.scope):
        inherited = field(row.fact, "applies_to_child_scopes")
        if inherited is False:
            return _Side(NONE, NONE, row, None, ())
        if isinstance(inherited, Unknown):
            least = NONE
            blame.append(Blame(code, inherited))
    condition = field(row.fact, "condition")
    bounds = condition_reach(condition, question.action)
    if isinstance(condition, Unknown):
        blame.append(Blame(code, condition))
    least, most = min(least, bounds[0]), min(most, bounds[1])
    excluded = field(row.fact, "excluded_principals")
    spared, spared_blame = membership.among(excluded)
    # a group that is both denied and excluded denies nobody
    hit, hit_blame = membership.among(field(row.fact, "principals"), without=texts(excluded)[0])
    if hit is False or spared is True:
        return _Side(NONE, NONE, row, None, ())
    if hit is None or spared is None:
        least = NONE
        blame += hit_blame if hit is None else ()
        blame += spared_blame if spared is None else ()
    stated = condition if isinstance(condition, str) and bounds[1] == CONDITIONAL else held.condition
    return _Side(least, most, row, stated, tuple(blame))


class _Membership:
    """Whether lists of principals mean one principal: itself, everyone, or a group that it is in."""

    def __init__(self, principal: str, world: World) -> None:
        self._means = {principal, EVERYONE, *world.groups(principal)}
        self._others = world.individuals() - self._means

    def among(self, principals: Json, without: Iterable[str] = ()) -> tuple[bool | None, tuple[Blame, ...]]:
        known, why = texts(principals)
        ids = {one.lower() for one in known} - {one.lower() for one in without}
        if ids & self._means:
            return True, ()
        unresolved = sorted(ids - self._others)
        if unresolved:
            reason = Unknown(
                "membership-unknown",
                f"whether the identity is a member of {unresolved[0]} is not known",
                "Microsoft Graph Application.Read.All",
            )
            return None, (Blame("MEMBERSHIP_UNKNOWN", reason),)
        if why is not None:
            return None, (Blame("DENY_ASSIGNMENTS_UNREADABLE", why),)
        return False, ()


def _locked(question: Question, world: World) -> _Side:
    action = question.action.lower()
    if question.data or not question.through_arm or action.endswith("/read"):
        return _Side(NONE, NONE, None, None, ())
    stopping = ("readonly", "cannotdelete") if action.endswith("/delete") else ("readonly",)
    scope = normal(question.scope)
    rows, why = world.rows("locks", scope)
    sides = []
    for row in rows:
        covers = row.covers(scope)
        if covers is False or (covers is None and not row.own):
            continue
        level = field(row.fact, "level")
        if isinstance(level, Unknown) or covers is None:
            reason = level if isinstance(level, Unknown) else Unknown("scope-unknown", "its scope is not known")
            if isinstance(level, Unknown) or str(level).lower() in stopping:
                sides.append(_Side(NONE, FULL, row, None, (Blame("LOCKS_UNREADABLE", reason),)))
        elif str(level).lower() in stopping:
            sides.append(_Side(FULL, FULL, row, None, ()))
    return _gather(sides, why, "LOCKS_UNREADABLE")


def _gather(sides: list[_Side], why: Unknown | None, code: str) -> _Side:
    """What several rows come to together. The one that decides is the surest, of equals that at the widest scope."""
    blame = tuple(item for side in sides for item in side.blame if side.most > NONE)
    most = max((side.most for side in sides), default=NONE)
    if why is not None:
        blame, most = (Blame(code, why), *blame), FULL
    if not sides:
        return _Side(NONE, most, None, None, blame)
    best = min(sides, key=lambda side: (-side.least, -side.most, _place(side.by)))
    return _Side(best.least, most, best.by, best.condition, blame)


def _place(row: Row | None) -> tuple[int, str]:
    if row is None:
        return (0, "")
    return (len(row.scope or ""), (text(row.fact, "id") or "").lower())


__all__ = ["FRESH", "FRESH_DATA_AT_MANAGEMENT_GROUP", "Grant", "Proof", "Question", "evaluate", "fresh_after"]
