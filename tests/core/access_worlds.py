"""Random worlds of role-based access: facts of `authorization` with holes, for the oracle in access_oracle.py.

A hole stands for something that nobody could observe, and has a list of all values that it may stand for, the extremes
among them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any

ME, GROUP, OTHER, CLIENT, STRANGER = "p-me", "g-team", "p-other", "c-mine", "p-stranger"
EVERYONE = "00000000-0000-0000-0000-000000000000"
ML = "Microsoft.MachineLearningServices/workspaces"
CONTROL = (
    f"{ML}/read",
    f"{ML}/connections/listsecrets/action",
    f"{ML}/connections/read",
    f"{ML}/onlineEndpoints/write",
    f"{ML}/computes/delete",
    "Microsoft.Storage/storageAccounts/listKeys/action",
)
DATA = (
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
    "Microsoft.Search/searchServices/indexes/documents/read",
)
SUB = "/subscriptions/S"
RG = f"{SUB}/resourceGroups/Rg"
WS = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/Ws"
SCOPES = (
    "/",
    SUB,
    RG,
    WS,
    f"{WS}/connections/a",
    f"{WS}2",
    f"{RG}2",
    f"{SUB}2",
    f"{RG}/providers/Microsoft.Storage/storageAccounts/sa",
    "/providers/Microsoft.Management/managementGroups/mg",
)
TARGETS = (WS, WS, WS, RG, f"{WS}/connections/a")
NOW = "2026-03-01T12:00:00Z"
AGES = {  # seconds before NOW
    "2026-01-01T00:00:00Z": 5_140_800,
    "2026-03-01T11:59:30.1234567Z": 29,
    "2026-03-01T11:50:00+00:00": 600,
    "2026-03-01T11:49:59Z": 601,
    "2026-03-01T10:00:00Z": 7200,
    "2026-02-28T20:00:00Z": 57_600,
    "2026-03-01T12:00:10Z": -10,
}
OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-03-01T12:00:10Z"
# conditions, with each ActionMatches in them, and the function of these and of the other terms that the text stands for
_B, _L = CONTROL[1], CONTROL[0]
CONDITIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    f"((!(ActionMatches{{'{_B}'}})) OR (@Resource[a:b] StringEquals 'x'))": ((_B,), lambda m, a: not m[0] or a[0]),
    f"((!(ActionMatches{{'{_B}'}}) AND !(ActionMatches{{'{_L}'}})) OR (@Request[a:b] StringEquals 'x AND y'))": (
        (_B, _L),
        lambda m, a: (not m[0] and not m[1]) or a[0],
    ),
    f"(!(ActionMatches{{'{DATA[0].upper()}'}} AND SubOperationMatches{{'q'}}) OR Exists @Resource[t:u]) AND "
    f"((!(ActionMatches{{'{ML}/*'}})) OR (@Principal[c:d] ForAnyOfAnyValues:StringEquals {{'y', '(z'}}))": (
        (DATA[0], f"{ML}/*"),
        lambda m, a: (not (m[0] and a[0]) or a[1]) and (not m[1] or a[2]),
    ),
    "@Resource[Microsoft.X/y:name] StringEquals 'z'": ((), lambda _, a: a[0]),
    f"ActionMatches{{'{_B}'}} OR @Resource[x:y] StringEquals 'z'": ((_B,), lambda m, a: m[0] or a[0]),
}
HIDDEN = {"$unknown": {"code": "forbidden", "detail": "403"}}
NOTHING: dict[str, Any] = {
    "actions": [],
    "not_actions": [],
    "data_actions": [],
    "not_data_actions": [],
    "condition": None,
}
EVERYTHING = {**NOTHING, "actions": ["*"], "data_actions": ["*"]}
STATED = "@Resource[Microsoft.X/y:name] StringEquals 'z'"


# ------------------------------------------------------------------------------------------------------------- worlds


@dataclass
class World:
    """Facts with holes. `holes`: where (container and key), and all values that may stand there."""

    facts: dict[str, Any]
    target: str
    action: str
    data: bool
    holes: list[tuple[Any, Any, list[Any]]] = field(default_factory=list)
    eligible: bool = True


@cache
def path_of(scope: str) -> tuple[str, ...]:
    """The segments of a scope, in lower case; none of the root."""
    return tuple(part for part in scope.lower().split("/") if part)


def _case(rng: random.Random, text: str) -> str:
    shade = rng.random()
    return text if shade < 0.7 else text.lower() if shade < 0.85 else text.upper()


def _pattern(rng: random.Random, action: str) -> str:
    shade = rng.random()
    if shade < 0.3:
        return _case(rng, action)
    parts = action.split("/")
    if shade < 0.6:
        parts[rng.randrange(len(parts))] = "*"
    elif shade < 0.75:
        parts[rng.randrange(len(parts)) :] = ["*"]
    elif shade < 0.85:
        parts.insert(rng.randrange(1, len(parts)), "*")
    elif shade < 0.9:
        return "*"
    elif shade < 0.95:
        return "*/" + parts[-1]
    else:
        parts[-1] = parts[-1][:2] + "*" + parts[-1][-1]
    return _case(rng, "/".join(parts))


def _patterns(rng: random.Random, likely: str, most: int) -> list[str]:
    count = rng.randrange(most + 1)
    return [_pattern(rng, likely if rng.random() < 0.6 else rng.choice(CONTROL + DATA)) for _ in range(count)]


def _condition(rng: random.Random, chance: float) -> str | None:
    return rng.choice(list(CONDITIONS)) if rng.random() < chance else None


def _permission(rng: random.Random, action: str) -> dict[str, Any]:
    return {
        "actions": _patterns(rng, action, 2),
        "not_actions": _patterns(rng, action, 1) if rng.random() < 0.4 else [],
        "data_actions": _patterns(rng, action, 2),
        "not_data_actions": _patterns(rng, action, 1) if rng.random() < 0.4 else [],
        "condition": _condition(rng, 0.1),
    }


def _scope(rng: random.Random, target: str) -> str:
    scope = target if rng.random() < 0.35 else rng.choice(SCOPES)
    scope = _case(rng, scope)
    return scope + "/" if len(scope) > 1 and rng.random() < 0.1 else scope


def _row(rng: random.Random, target: str, holder: str, number: int) -> dict[str, Any]:
    return {
        "id": f"/a/{number}",
        "role_id": rng.choice(("r1", "r2", "r3")),
        "role_definition_id": None,
        "principal_id": _case(rng, holder),
        "principal_type": {GROUP: "Group", STRANGER: "User"}.get(holder, "ServicePrincipal"),
        "scope": _scope(rng, target),
        "condition": _condition(rng, 0.15),
        "created_at": rng.choice(list(AGES)) if rng.random() < 0.5 else OLD,
        "updated_at": None if rng.random() < 0.7 else rng.choice(list(AGES)),
        "description": None,
        "principal_exists": rng.choice((True, True, False)) if holder == STRANGER else True,
    }


def _deny(rng: random.Random, target: str, action: str, number: int) -> dict[str, Any]:
    # the proof does not follow one doubtful group through two deny assignments: each has its own
    ids = (ME, EVERYONE, f"g-unheard-{number}", *((GROUP, OTHER) if number == 200 else ()))
    return {
        "id": f"/d/{number}",
        "name": f"deny {number}",
        "scope": _scope(rng, target),
        "applies_to_child_scopes": rng.random() < 0.7,
        "permissions": [_permission(rng, action)],
        "principals": [_case(rng, rng.choice(ids)) for _ in range(rng.randrange(1, 3))],
        "excluded_principals": [_case(rng, rng.choice(ids)) for _ in range(rng.randrange(2))],
        "condition": _condition(rng, 0.2),
    }


def _entry(rng: random.Random, target: str, place: str, action: str, first: int) -> dict[str, Any]:
    numbers = rng.sample(range(first, first + 8), 8)
    mine = [_row(rng, target, ME if rng.random() < 0.75 else GROUP, numbers.pop()) for _ in range(rng.randrange(3))]
    everyone = [
        _row(rng, target, rng.choice((OTHER, CLIENT, STRANGER)), numbers.pop()) for _ in range(rng.randrange(3))
    ]
    deny = rng.random() < 0.3
    lock = rng.random() < 0.25
    return {
        "scope": _case(rng, place),
        "kind": None,
        "exists": True,
        "assigned": [{"principal_id": ME, "assignments": mine}],
        "everyone": everyone + [row for row in mine if rng.random() < 0.5],
        "eligible": [_row(rng, target, ME, 120)] if rng.random() < 0.1 else [],
        "denies": [_deny(rng, target, action, first + 200)] if deny else [],
        "locks": [
            {"id": "/l", "name": "l", "level": rng.choice(("ReadOnly", "CanNotDelete")), "scope": _scope(rng, target)}
        ]
        if lock
        else [],
    }


def random_world(rng: random.Random) -> World:
    """A world of one to two scopes, three roles, and no to three holes."""
    data = rng.random() < 0.3
    action = rng.choice(DATA if data else CONTROL)
    target = rng.choice(TARGETS)
    entries = [_entry(rng, target, target, action, 0)]
    if rng.random() < 0.2:
        entries.append(_entry(rng, target, rng.choice(SCOPES[1:9]), action, 10))
        if path_of(entries[1]["scope"])[: len(path_of(target))] == path_of(target):
            entries.pop()  # below the target: what it lists would have to agree with the target's own lists
    definitions = {
        name: {
            "id": name,
            "name": name,
            "type": rng.choice(("BuiltInRole", "CustomRole")),
            "permissions": [_permission(rng, action) for _ in range(1 if rng.random() < 0.8 else 2)],
            "assignable_scopes": ["/"],
        }
        for name in ("r1", "r2", "r3")
    }
    definitions["all"] = {"id": "all", "name": "all", "type": "CustomRole", "permissions": [EVERYTHING]}
    facts = {
        "authorization": {
            "scopes": entries,
            "elsewhere": [_row(rng, target, ME, 109)] if rng.random() < 0.2 else [],
            "definitions": definitions,
        },
        "now": NOW,
    }
    world = World(facts, target, action, data)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        _dig(rng, world)
    return world


def _all_mine() -> dict[str, Any]:
    row = _row(random.Random(0), "/", ME, 140)
    return {**row, "role_id": "all", "scope": "/", "condition": None, "created_at": OLD, "updated_at": None}


_ALL_ROW = _all_mine()
_ALL_DENY = {
    "id": "/d/40",
    "name": "all",
    "scope": "/",
    "applies_to_child_scopes": True,
    "permissions": [EVERYTHING],
    "principals": [EVERYONE],
    "excluded_principals": [],
    "condition": None,
}
_ALL_LOCK = {"id": "/l/40", "name": "all", "level": "ReadOnly", "scope": "/"}


def _dig(rng: random.Random, world: World) -> None:
    """One hole, at random; none where the dice fall on something that is not there."""
    entry = rng.choice(world.facts["authorization"]["scopes"])
    # what the list of another scope lacks is either in the target's own list or not above the target
    own = entry is world.facts["authorization"]["scopes"][0]
    rng.choice(_DIGGERS)(rng, world, entry, own)


def _dig_assigned(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    _lack(rng, world, entry["assigned"][0], "assignments", *([_ALL_ROW] if own else []))


def _dig_denies(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    _lack(rng, world, entry, "denies", *([_ALL_DENY] if own else []))


def _dig_locks(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    _lack(rng, world, entry, "locks", *([_ALL_LOCK] if own else []))


def _dig_definition(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    del entry, own
    definitions = world.facts["authorization"]["definitions"]
    name = rng.choice(("r1", "r2", "r3"))
    if "permissions" in definitions[name]:
        whole = definitions[name]
        _hide(world, definitions, name, [{**whole, "permissions": [one]} for one in (NOTHING, EVERYTHING)])


def _dig_permission(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    del entry, own
    definition = world.facts["authorization"]["definitions"][rng.choice(("r1", "r2", "r3"))]
    for permission in definition.get("permissions", [])[:1]:
        key = rng.choice(("actions", "not_actions", "data_actions", "not_data_actions"))
        _lack(rng, world, permission, key, "*")


def _dig_row(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    rows = entry["assigned"][0]["assignments"]
    if isinstance(rows, list) and rows:
        values: dict[str, list[Any]] = {
            "condition": [None, STATED],
            "created_at": [OLD, YOUNG],
            "scope": [*(["/"] if own else []), "/subscriptions/unrelated"],
        }
        key = rng.choice(list(values))
        _hide(world, rng.choice(rows), key, values[key])


def _dig_deny(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    del own
    if isinstance(entry["denies"], list) and entry["denies"]:
        deny = entry["denies"][0]
        key = rng.choice(("principals", "excluded_principals", "applies_to_child_scopes", "condition"))
        if key.endswith("principals"):
            _lack(rng, world, deny, key, EVERYONE)
        else:
            _hide(world, deny, key, [None, STATED] if key == "condition" else [True, False])


def _dig_lock(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    del rng, own
    if isinstance(entry["locks"], list) and entry["locks"]:
        _hide(world, entry["locks"][0], "level", ["ReadOnly", "CanNotDelete", "NotSpecified"])


def _dig_clock(rng: random.Random, world: World, entry: Any, own: bool) -> None:
    del rng, entry, own
    _hide(world, world.facts, "now", ["1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])


_DIGGERS = (
    _dig_assigned,
    _dig_denies,
    _dig_locks,
    _dig_definition,
    _dig_permission,
    _dig_row,
    _dig_row,
    _dig_deny,
    _dig_deny,
    _dig_lock,
    _dig_clock,
)


def _hide(world: World, container: Any, key: Any, values: list[Any]) -> None:
    if any(hole[0] is container and hole[1] == key for hole in world.holes):
        return
    world.holes.append((container, key, values))
    container[key] = HIDDEN


def _lack(rng: random.Random, world: World, container: Any, key: Any, *more: Any) -> None:
    """A list of which only a part, or nothing, was seen: it is that part, or that and `more`, which decides all."""
    seen = container[key]
    if not isinstance(seen, list):
        return
    if rng.random() < 0.5:
        world.holes.append((container, key, [[], [*more]]))
        container[key] = HIDDEN
    else:
        world.holes.append((container, key, [seen, [*seen, *more]]))
        container[key] = {"$incomplete": HIDDEN["$unknown"], "items": seen}
