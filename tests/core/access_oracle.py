"""Role-based access as brute force: every way in which what is unknown could be, each decided in the dumbest way.

Shares no code and no structure with pfdoctor.core.access. It fills all holes of a world (access_worlds.py) in all ways,
gets a plain answer for each, and says what they have in common.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.core.access_worlds import AGES, CLIENT, CONDITIONS, EVERYONE, ME, NOW, World, path_of

FAILING = ("NOT_ALLOWED", "BLOCKED", "DENIED")  # the weaker claim first
WORKING = ("CONDITIONAL", "ALLOWED_PENDING", "ALLOWED")


def verdict_of(world: World) -> str:
    """What all completions of the world have in common."""
    seen: set[str] = set()
    shown = [container[key] for container, key, _ in world.holes]
    for values in itertools.product(*(values for _, _, values in world.holes)):
        for (container, key, _), value in zip(world.holes, values, strict=True):
            container[key] = value
        seen |= answers(world)
    for (container, key, _), value in zip(world.holes, shown, strict=True):
        container[key] = value
    if seen <= set(FAILING):
        return next(one for one in FAILING if one in seen)
    if seen <= set(WORKING):
        return next(one for one in WORKING if one in seen)
    return "UNKNOWN"


def answers(world: World) -> set[str]:
    """Every answer of a world without holes: what a doubtful wildcard excludes or denies, and who is in a group that
    nobody looked into, may be either way."""
    grants = {max((_worth(world, row, excludes) for row in _my_rows(world)), default=0) for excludes in (False, True)}
    denies = _above(world, "denies")
    levels = {
        max(_denial(world, row, excludes, forbids, groups) for row in denies)
        for excludes in (False, True)
        for forbids in (False, True)
        for groups in _memberships(world, denies)
    } or {0}
    stopped = any(_stops(world, lock) for lock in _above(world, "locks"))
    return {_answer(grant, level, stopped) for grant in grants for level in levels}


def _answer(grant: int, deny: int, stopped: bool) -> str:
    if deny == 2:
        return "DENIED"
    if stopped:
        return "BLOCKED"
    if grant == 0:
        return "NOT_ALLOWED"
    return "CONDITIONAL" if deny == 1 or grant == 1 else "ALLOWED_PENDING" if grant == 2 else "ALLOWED"


def _memberships(world: World, denies: list[Any]) -> list[set[str]]:
    """Every set of groups that the identity may be in, by what is known."""
    if not denies:
        return []
    individuals = {
        one["principal_id"].lower()
        for entry in world.facts["authorization"]["scopes"]
        for key in ("everyone", "eligible")
        for one in entry[key]
        if one["principal_type"] in ("User", "ServicePrincipal")
    }
    sure = {ME, EVERYONE, *_groups(world)}
    named = {one.lower() for row in denies for key in ("principals", "excluded_principals") for one in row[key]}
    doubtful = sorted(named - individuals - sure)
    return [sure | set(some) for count in range(len(doubtful) + 1) for some in itertools.combinations(doubtful, count)]


def _is_above(scope: str, target: str) -> bool:
    return path_of(target)[: len(path_of(scope))] == path_of(scope)


def _covers(world: World, entry: Any, row: Any) -> bool:
    if "managementgroups" in row["scope"].lower():
        return path_of(entry["scope"]) == path_of(world.target)
    return _is_above(row["scope"], world.target)


def _above(world: World, key: str) -> list[Any]:
    found = []
    for entry in world.facts["authorization"]["scopes"]:
        found += [row for row in entry[key] if _covers(world, entry, row)]
    return found


def _groups(world: World) -> set[str]:
    return {
        row["principal_id"].lower()
        for entry in world.facts["authorization"]["scopes"]
        for row in entry["assigned"][0]["assignments"]
    } - {ME}


def _my_rows(world: World) -> list[Any]:
    rows = [
        row
        for entry in world.facts["authorization"]["scopes"]
        for row in entry["assigned"][0]["assignments"]
        if _covers(world, entry, row)
    ]
    rows += [row for row in _above(world, "everyone") if row["principal_id"].lower() in {ME, *_groups(world)}]
    for row in world.facts["authorization"]["elsewhere"]:
        if "managementgroups" not in row["scope"].lower() and _is_above(row["scope"], world.target):
            rows.append(row)
    return rows


@cache
def _glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] == text[0] and _glob(pattern[1:], text[1:])


@cache
def how(pattern: str, action: str) -> str:
    """exact, lenient or nothing: with any of the stars that stand alone between slashes left out."""
    pattern, action = pattern.lower(), action.lower()
    if _glob(pattern, action):
        return "exact"
    parts = pattern.split("/")
    inner = [index for index in range(1, len(parts) - 1) if parts[index] == "*"]
    for count in range(1, len(inner) + 1):
        for left_out in itertools.combinations(inner, count):
            if _glob("/".join(part for index, part in enumerate(parts) if index not in left_out), action):
                return "lenient"
    return ""


@cache
def _always(condition: str | None, action: str) -> bool:
    if condition is None:
        return True
    named, formula = CONDITIONS[condition]
    matches = [how(one, action) == "exact" for one in named]
    return all(formula(matches, attribute) for attribute in itertools.product((False, True), repeat=3))


def _holds(world: World, permission: Any, *, excludes: bool, doubtful_counts: bool) -> bool:
    keys = ("data_actions", "not_data_actions") if world.data else ("actions", "not_actions")
    ways = [how(one, world.action) for one in permission[keys[0]]]
    if not ("exact" in ways or (doubtful_counts and "lenient" in ways)):
        return False
    out = [how(one, world.action) for one in permission[keys[1]]]
    return not ("exact" in out or (excludes and "lenient" in out))


def _worth(world: World, row: Any, excludes: bool) -> int:
    """0 nothing, 1 under a condition, 2 too fresh, 3 in force."""
    role = world.facts["authorization"]["definitions"][row["role_id"]]
    held = [p for p in role["permissions"] if _holds(world, p, excludes=excludes, doubtful_counts=True)]
    if not held:
        return 0
    if not _always(row["condition"], world.action) or not any(_always(p["condition"], world.action) for p in held):
        return 1
    times = [row[key] for key in ("created_at", "updated_at") if row[key] is not None]
    if not times:
        return 3
    shift = {NOW: 0, "1970-01-01T00:00:00Z": -(10**9), "2999-01-01T00:00:00Z": 10**10}[world.facts["now"]]
    age = min(AGES[one] for one in times) + shift
    wait = 600
    if world.data and "managementgroups" in row["scope"].lower() and role["type"] == "BuiltInRole":
        wait = 4 * 3600
    if row["principal_id"].lower() != ME:
        wait = 24 * 3600
    return 2 if age <= wait else 3


def _denial(world: World, row: Any, excludes: bool, forbids: bool, groups: set[str]) -> int:
    """0 nothing, 1 under a condition, 2 in full."""
    if not row["applies_to_child_scopes"] and path_of(row["scope"]) != path_of(world.target):
        return 0
    if not any(one.lower() in groups for one in row["principals"]):
        return 0
    if any(one.lower() in groups for one in row["excluded_principals"]):
        return 0
    held = [p for p in row["permissions"] if _holds(world, p, excludes=excludes, doubtful_counts=forbids)]
    if not held:
        return 0
    always = _always(row["condition"], world.action) and any(_always(p["condition"], world.action) for p in held)
    return 2 if always else 1


def _stops(world: World, lock: Any) -> bool:
    verb = world.action.rpartition("/")[2].lower()
    if world.data or verb == "read":
        return False
    return lock["level"] == "ReadOnly" or (lock["level"] == "CanNotDelete" and verb == "delete")


# ------------------------------------------------------------------------------------------- reasons, without a hole


def reason_of(world: World, verdict: str) -> str | None:
    """The reason code of a verdict on a world without holes; None where the oracle has no opinion."""
    rows = _my_rows(world)
    if verdict in ("ALLOWED", "ALLOWED_PENDING"):
        worth = {"ALLOWED": 3, "ALLOWED_PENDING": 2}[verdict]
        best = [row for row in rows if _worth(world, row, excludes=True) == worth]
        exact = [row for row in best if _is_exact(world, row)]
        if not exact:
            return "LENIENT_WILDCARD"
        return "DIRECT" if any(row["principal_id"].lower() == ME for row in exact) else "GROUP"
    if verdict != "NOT_ALLOWED":
        return None
    near = [name for name, test in NEAR.items() if test(world, rows)]
    return near[0] if near else "ROLE_LACKS_ACTION" if rows else "NO_ASSIGNMENT"


def _is_exact(world: World, row: Any) -> bool:
    keys = ("data_actions", "not_data_actions") if world.data else ("actions", "not_actions")
    role = world.facts["authorization"]["definitions"][row["role_id"]]
    return any(
        any(how(one, world.action) == "exact" for one in p[keys[0]])
        for p in role["permissions"]
        if _holds(world, p, excludes=True, doubtful_counts=True)
        and (_worth(world, row, excludes=True) == 1 or _always(p["condition"], world.action))
    )


def _role_holds(world: World, row: Any) -> bool:
    role = world.facts["authorization"]["definitions"][row["role_id"]]
    return any(_holds(world, p, excludes=True, doubtful_counts=True) for p in role["permissions"])


def _anywhere(world: World) -> list[Any]:
    entries = world.facts["authorization"]["scopes"]
    rows = [row for entry in entries for row in entry["assigned"][0]["assignments"]]
    rows += [row for e in entries for row in e["everyone"] if row["principal_id"].lower() in {ME, *_groups(world)}]
    rows += world.facts["authorization"]["elsewhere"]
    return rows


def _below(world: World, rows: list[Any]) -> bool:
    del rows
    return any(
        _is_above(world.target, row["scope"])
        and path_of(world.target) != path_of(row["scope"])
        and _role_holds(world, row)
        for row in _anywhere(world)
    )


def _eligible(world: World, rows: list[Any]) -> bool:
    del rows
    return world.eligible and any(_role_holds(world, row) for row in _above(world, "eligible"))


def _apart(world: World, rows: list[Any]) -> bool:
    del rows
    return any(
        _role_holds(world, row)
        for row in _anywhere(world)
        if "managementgroups" not in row["scope"].lower()
        and not _is_above(row["scope"], world.target)
        and not _is_above(world.target, row["scope"])
    )


def _excluded(world: World, rows: list[Any]) -> bool:
    keys = ("data_actions", "not_data_actions") if world.data else ("actions", "not_actions")
    definitions = world.facts["authorization"]["definitions"]
    return any(
        any(how(one, world.action) for one in p[keys[0]]) and any(how(o, world.action) == "exact" for o in p[keys[1]])
        for row in rows
        for p in definitions[row["role_id"]]["permissions"]
    )


def _is_of_resource(pattern: str, action: str) -> bool:
    one, other = pattern.lower().split("/"), action.lower().split("/")
    if one[0] == "*" or one[:2] == [other[0], "*"]:
        return how(pattern, action) != ""
    return one[:2] == other[:2]


def _other_plane(world: World, rows: list[Any]) -> bool:
    mine, theirs = ("data_actions", "actions") if world.data else ("actions", "data_actions")
    for row in rows:
        permissions = world.facts["authorization"]["definitions"][row["role_id"]]["permissions"]
        if not any(_is_of_resource(one, world.action) for p in permissions for one in p[mine]) and any(
            _is_of_resource(one, world.action) for p in permissions for one in p[theirs]
        ):
            return True
    return False


def _foreign(world: World) -> list[Any]:
    mine = {ME, *_groups(world)}
    return [
        row for row in _above(world, "everyone") if row["principal_id"].lower() not in mine and _role_holds(world, row)
    ]


def _mistaken(world: World, rows: list[Any]) -> bool:
    del rows
    return any(row["principal_id"].lower() == CLIENT or not row["principal_exists"] for row in _foreign(world))


def _other(world: World, rows: list[Any]) -> bool:
    del rows
    return any(row["principal_type"] == "ServicePrincipal" for row in _foreign(world))


NEAR: dict[str, Callable[[World, list[Any]], bool]] = {
    "PIM_ELIGIBLE_ONLY": _eligible,
    "ASSIGNED_BELOW_TARGET": _below,
    "EXCLUDED_BY_NOTACTIONS": _excluded,
    "CONTROL_PLANE_ROLE_FOR_DATA_ACTION": lambda world, rows: world.data and _other_plane(world, rows),
    "DATA_ROLE_FOR_CONTROL_ACTION": lambda world, rows: not world.data and _other_plane(world, rows),
    "WRONG_SCOPE": _apart,
    "ORPHAN_OR_OTHER_PRINCIPAL": _mistaken,
    "OTHER_PRINCIPAL": _other,
}
