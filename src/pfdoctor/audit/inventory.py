"""Which endpoints there are: Azure Resource Graph lists them, and says nothing of how they are.

Resource Graph lags behind and leaves out what the login may not read. So it only enumerates; each endpoint is then read
itself. Workspaces that are named are asked themselves, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from pfdoctor.audit.fleet import Endpoint
from pfdoctor.audit.scope import Scope, is_glob, is_subscription_id, matches
from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.azure.arm_id import parse, workspace_id
from pfdoctor.core.model import Json, NoInputError, Unknown
from pfdoctor.report.style import count

_VERSION = "2022-10-01"
_PATH = "/providers/Microsoft.ResourceGraph/resources"
_PAGE = 1000
_SHOWN = 8
_MOST_SUBSCRIPTIONS = 1000
"""That one query takes (Microsoft Learn, "Work with large Azure resource data sets")."""
_ENDPOINTS = (
    "resources | where type =~ 'microsoft.machinelearningservices/workspaces/onlineendpoints' "
    "| project id, location, tags | order by id asc"
)
_SUBSCRIPTIONS = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' "
    "| project subscriptionId, name | order by subscriptionId asc"
)


class Problem(NamedTuple):
    """A scope that could not be listed, or not to its end: endpoints in it may be missing."""

    path: str
    problem: str
    detail: str


class Inventory(NamedTuple):
    """The endpoints by id, and what kept it from being all of them.

    `listed` is how many there were before names and filters chose among them.
    """

    endpoints: tuple[Endpoint, ...]
    problems: tuple[Problem, ...]
    listed: int = 0


async def take_inventory(reader: Reader, scope: Scope) -> Inventory:
    """The endpoints of the scope. Raises NoInputError where a scope that was named proves to be none."""
    problems: list[Problem] = []
    subscriptions = await _subscriptions(reader, scope, problems)
    rows: list[Json] = []
    if subscriptions is None:
        limits: list[dict[str, Json]] = [{"managementGroups": [one]} for one in scope.management_groups] or [{}]
    else:
        parts = range(0, len(subscriptions), _MOST_SUBSCRIPTIONS)
        limits = [{"subscriptions": subscriptions[start : start + _MOST_SUBSCRIPTIONS]} for start in parts]
    for limit in limits:
        what = _said(limit)
        rows += await _query(reader, _ENDPOINTS, limit, problems, what)
    found = {one.key: one for one in _endpoints(rows, "the answer of Azure Resource Graph", problems)}
    for one in await _named(reader, scope, subscriptions or [], problems):
        found.setdefault(one.key, one)
    kept = [found[key] for key in sorted(found) if scope.holds(found[key])]
    return Inventory(tuple(kept), tuple(problems), len(found))


def why_empty(scope: Scope, inventory: Inventory) -> str:
    """What a person should know of a scope in which no endpoint is."""
    if inventory.listed:
        chosen = [f"--resource-group {one}" for one in scope.resource_groups]
        chosen += [f"--workspace {one}" for one in scope.workspaces]
        chosen += [f"--include {one.text}" for one in scope.include] + [
            f"--exclude {one.text}" for one in scope.exclude
        ]
        there = "endpoint is there, but none is" if inventory.listed == 1 else "endpoints are there, but none is"
        return f"{inventory.listed:,} {there} left by {' '.join(chosen)}"
    where = "in this scope" if scope.subscriptions or scope.management_groups else "in any subscription"
    return (
        f"the login sees no managed online endpoint {where}: it may lack the role Reader there, or another login is "
        "meant (pfdoctor selfcheck tells which it is)"
    )


def unmatched(scope: Scope, inventory: Inventory) -> list[str]:
    """The options that no endpoint of the inventory is due to: misspelt, or there is none."""
    here = inventory.endpoints
    told = [
        f"--resource-group {one}"
        for one in scope.resource_groups
        if not any(matches(it.resource_group, [one]) for it in here)
    ]
    told += [f"--workspace {one}" for one in scope.workspaces if not any(matches(it.workspace, [one]) for it in here)]
    return told + [f"--include {one.text}" for one in scope.include if not any(map(one.holds, here))]


async def _subscriptions(reader: Reader, scope: Scope, problems: list[Problem]) -> list[str] | None:
    """The ids of the subscriptions that are named; None where none is."""
    if not scope.subscriptions:
        return None
    if scope.management_groups:
        limit: dict[str, Json] = {"managementGroups": list(scope.management_groups)}
    else:
        limit = {}
    rows = await _query(reader, _SUBSCRIPTIONS, limit, problems, "the list of subscriptions")
    seen = {str(one.get("subscriptionId")).lower(): str(one.get("name")) for one in rows if isinstance(one, dict)}
    chosen: dict[str, None] = {}
    is_listed = not problems
    for wanted in scope.subscriptions:
        hits = [one for one, name in seen.items() if matches(one, [wanted]) or matches(name, [wanted])]
        if not hits and is_subscription_id(wanted):
            detail = (
                "the login sees no such subscription: a wrong id, another tenant (az login --tenant), or no role in it"
            )
            problems.append(Problem(f"/subscriptions/{wanted}", "not-seen", detail))
            hits = [wanted.lower()]
        elif not hits and is_listed:
            raise NoInputError(f"no subscription that the login sees is named {wanted!r}; there are: {_known(seen)}")
        chosen |= dict.fromkeys(hits)
    return list(chosen)


def _known(seen: dict[str, str]) -> str:
    """Subscriptions to choose from, by name and id, for names are not unique."""
    shown = [f"{name} ({identifier})" for identifier, name in sorted(seen.items(), key=lambda one: (one[1], one[0]))]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more or "none"


async def _query(reader: Reader, query: str, limit: dict[str, Json], problems: list[Problem], what: str) -> list[Json]:
    """The rows of all pages. A page that fails ends them, and is a problem."""
    rows: list[Json] = []
    options: dict[str, Json] = {"$top": _PAGE, "resultFormat": "objectArray"}
    tokens: set[str] = set()

    def ended(code: str, detail: str) -> None:
        problems.append(Problem(what, code, f"Azure Resource Graph {detail}"))

    while True:
        reading = await reader.post(_PATH, _VERSION, {"query": query, **limit, "options": options})
        page = reading.body.get("data") if reading.body is not None else None
        if not isinstance(page, list):
            why = reading.unknown or Unknown("wrong-type", "the answer holds no rows")
            ended(why.code, why.detail)
            return rows
        rows += page
        answer = reading.body or {}
        token = answer.get("$skipToken")
        if not isinstance(token, str) or not token:
            # says so where it has more, and yet gives no token (Microsoft Learn, "Paging results")
            if str(answer.get("resultTruncated")).lower() == "true":
                ended("truncated", f"has more than the {len(rows):,} rows that it gave")
            return rows
        if token in tokens:
            ended("page-loop", f"gave the same page again after {len(rows):,} rows")
            return rows
        tokens.add(token)
        options = {**options, "$skipToken": token}


async def _named(reader: Reader, scope: Scope, subscriptions: list[str], problems: list[Problem]) -> Iterable[Endpoint]:
    """The endpoints of the workspaces that are named in full, as these list them: that never lags."""
    groups, names = scope.resource_groups, scope.workspaces
    if not names or not groups or any(map(is_glob, (*groups, *names))):
        return ()
    ids = [workspace_id(one, group, name) for one in subscriptions for group in groups for name in names]
    readings = await asyncio.gather(
        *(reader.list(f"{one}/onlineEndpoints", versions.ENDPOINT, permissions.ENDPOINT) for one in ids)
    )
    found: list[Endpoint] = []
    for identifier, reading in zip(ids, readings, strict=True):
        why = reading.unknown or reading.incomplete
        if why is not None and (len(ids) == 1 or not reading.is_missing):
            problems.append(Problem(identifier, why.code, why.detail))
        rows = reading.value if isinstance(reading.value, list) else []
        found += _endpoints(rows, identifier, problems)
    return found


def _endpoints(rows: Iterable[Json], what: str, problems: list[Problem]) -> list[Endpoint]:
    """The endpoints of rows. Those that name none are a problem: some endpoint may stand behind them."""
    made = [_endpoint(row) for row in rows]
    found = [one for one in made if one is not None]
    if len(found) < len(made):
        number = len(made) - len(found)
        problems.append(Problem(what, "wrong-type", f"{count(number, 'row')} of it without the id of an endpoint"))
    return found


def _endpoint(row: Json) -> Endpoint | None:
    """An endpoint of a row; None for one without a usable id."""
    target = parse(row.get("id")) if isinstance(row, dict) else None
    if target is None or target.resource_group is None or len(target.names) != 2:
        return None
    tags = row.get("tags")
    location = row.get("location")
    return Endpoint(
        target.text,
        target.name,
        target.names[0],
        target.resource_group,
        target.subscription,
        location if isinstance(location, str) else None,
        {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {},
    )


def _said(limit: dict[str, Json]) -> str:
    if not limit:
        return "everything that the login sees"
    kind, names = next(iter(limit.items()))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"the {'subscriptions' if kind == 'subscriptions' else 'management group'} {shown}"
