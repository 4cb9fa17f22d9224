"""What a step of Azure finds: its result, what the plan was made for, or something else, and then what."""

from __future__ import annotations

import asyncio
import json
from typing import NamedTuple

from pfdoctor.apply.azure_undo import text_of
from pfdoctor.apply.journal import Entry, Record
from pfdoctor.apply.remote import ASSIGNMENTS, ML, PROVIDERS, Remote, Target, state_of
from pfdoctor.cloud.writing import Answer
from pfdoctor.core.model import Json
from pfdoctor.core.plan import Step
from pfdoctor.core.plan.resource import (
    AzureEdit,
    BodyChange,
    BodyPath,
    GrantRole,
    NewVersion,
    RegisterProvider,
    SyncKeys,
    UpdateDeployment,
    UpdateEndpoint,
    changed_body,
    content,
    digest,
)
from pfdoctor.core.redact import redact_value

_SHOWN = 12
"""Digits of a hash that a message shows."""
_LONGEST = 80


class Look(NamedTuple):
    """What a step finds: `done` where its result is there, `stale` says why it cannot go on."""

    done: bool
    stale: str | None
    now: Answer


def target_of(edit: AzureEdit) -> Target:
    """The resource that a step changes."""
    if isinstance(edit, GrantRole):
        return Target(edit.target, ASSIGNMENTS)
    return Target(edit.target, PROVIDERS if isinstance(edit, RegisterProvider) else ML)


async def look_at(remote: Remote, step: Step, record: Record | None) -> Look:
    """Whether the step's result is there, and if not, whether what is there is what the plan expects."""
    edit = step.edit
    if not isinstance(edit, AzureEdit):
        raise TypeError(f"step {step.id} is none of Azure")
    entry = next((one for one in record.entries if one.step == step.id), None) if record is not None else None
    match edit:
        case GrantRole():
            return await _look_at_role(remote, edit)
        case NewVersion():
            return await _look_at_version(remote, edit, step)
        case UpdateDeployment() | UpdateEndpoint():
            return await _look_at_update(remote, edit, step, entry)
        case RegisterProvider():
            now = await remote.read(target_of(edit))
            return Look((state_of(now.body) or "").lower() in ("registered", "registering"), None, now)
        case SyncKeys():
            return Look(entry is not None and entry.done, None, await remote.read(Target(edit.workspace, ML)))


async def _look_at_role(remote: Remote, edit: GrantRole) -> Look:
    now = await remote.read(target_of(edit))
    if now.body is not None and now.good:
        if grants(now.body, edit):
            return Look(True, None, now)
        return Look(False, f"{edit.target} is another assignment", now)
    query = {"$filter": f"atScope() and assignedTo('{edit.principal_id}')"}
    path = f"{edit.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments"
    twins = [one for one in await remote.items(path, ASSIGNMENTS, query) if grants(one, edit)]
    return Look(bool(twins), None, now)


async def _look_at_version(remote: Remote, edit: NewVersion, step: Step) -> Look:
    base, now = await asyncio.gather(
        remote.read(Target(edit.base, ML)),
        remote.read(target_of(edit)),
    )
    if base.body is None or base.missing:
        return Look(False, f"{edit.base} is not there any more", now)
    if now.good and now.body is not None:
        if version_of(now.body) == version_of(changed_body(base.body, edit.changes)):
            return Look(True, None, now)
        return Look(False, f"{edit.target} was registered meanwhile, with another content", now)
    if digest(base.body) != step.expects.get(edit.base):
        return Look(False, _changed(edit.base, step.expects.get(edit.base), base, ()), now)
    return Look(False, None, now)


async def _look_at_update(
    remote: Remote, edit: UpdateDeployment | UpdateEndpoint, step: Step, entry: Entry | None
) -> Look:
    now = await remote.settled(target_of(edit))
    if now.body is None or now.missing:
        return Look(False, f"{edit.target} is not there any more", now)
    if holds(now, edit):
        return Look(True, None, now)
    expected = {step.expects.get(edit.target)}
    if entry is not None:
        expected |= {moment for one in entry.changes for moment in (one.before, one.after)}
    if digest(now.body) not in expected:
        return Look(False, _changed(edit.target, step.expects.get(edit.target), now, edit.changes), now)
    return Look(False, None, now)


def grants(body: dict[str, Json], edit: GrantRole) -> bool:
    """Whether the assignment is the one that is wanted, in force without conditions."""
    role = (text_of(body, "roleDefinitionId") or "").lower().rpartition("/")[2]
    scope = (text_of(body, "scope") or edit.scope).rstrip("/").lower()
    mine = (text_of(body, "principalId") or "").lower() == edit.principal_id.lower()
    return (
        mine
        and role == edit.role_id.lower()
        and scope == edit.scope.rstrip("/").lower()
        and not text_of(body, "condition")
    )


def holds(answer: Answer, edit: UpdateDeployment | UpdateEndpoint) -> bool:
    return answer.body is not None and digest(changed_body(answer.body, edit.changes)) == digest(answer.body)


def version_of(body: dict[str, Json]) -> dict[str, Json]:
    """What makes up a version: its properties but for those that may change later."""
    properties = content(body).get("properties") or {}
    return {key: value for key, value in properties.items() if key not in ("isArchived", "stage") and value is not None}


def _changed(target: str, expected: str | None, now: Answer, changes: tuple[BodyChange, ...]) -> str:
    """That somebody changed the resource since the plan was made, and what is known of it."""
    held = f"its content hash was {_hash(expected)} and is {_hash(digest(now.body))}"
    etag = f", its etag is {now.etag}" if now.etag else ""
    moved = [
        f"{'.'.join(change.path)} was {_short(change.old)} and is {_short(value)}"
        for change in changes
        if change.verb != "rename" and (value := _value(now.body, change.path)) != change.old
    ]
    return f"{target} was changed since the plan was made: {'; '.join([*moved, held])}{etag}"


def _value(body: Json, path: BodyPath) -> Json:
    """What stands there now, as the plan would have noted it."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return redact_value(body, path[-1])


def _hash(digest: str | None) -> str:
    return digest[:_SHOWN] if digest is not None else "not there"


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
