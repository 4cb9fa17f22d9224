"""Taking back what a step did in Azure: only what pfdoctor itself did, and only where nobody changed it since."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pfdoctor.apply.journal import Entry
from pfdoctor.apply.remote import ASSIGNMENTS, ML, NotTakenError, Remote, Target
from pfdoctor.cloud.writing import Answer
from pfdoctor.core.model import Json, short_id
from pfdoctor.core.plan import RefusedError
from pfdoctor.core.plan.resource import content, digest

OURS = "pfdoctor "
"""How the description of every role assignment begins that pfdoctor makes."""


async def take_back(remote: Remote, entry: Entry, kept: bytes | None, others: Mapping[str, int | None]) -> str | None:
    """Undo the step; what stays is returned, in words. Raises RefusedError.

    `kept` is what the resource held before, as JSON; `others` are the resources of the journal, each with the number
    of its step where that is not undone.
    """
    identifier = entry.resource or ""
    lower = identifier.lower()
    if "/roleassignments/" in lower:
        await _unassign(remote, entry, Target(identifier, ASSIGNMENTS))
        return None
    if "/environments/" in lower:
        return await _archive(remote, Target(identifier, ML), others)
    if "/onlineendpoints/" in lower:
        return await _restore(remote, entry, Target(identifier, ML), kept)
    if "/workspaces/" in lower:
        return "the keys that the workspace fetched are the ones in force"
    return f"{identifier.rpartition('/')[2]} stays registered"


async def _unassign(remote: Remote, entry: Entry, target: Target) -> None:
    if entry.done and not entry.created:
        return
    now = await remote.read(target)
    if now.missing or now.body is None:
        return
    mark = entry.changes[0].after
    if entry.done and mark is not None and mark != assignment_mark(now.body):
        raise RefusedError("the role assignment was changed since, so it is left")
    if not entry.done and not (text_of(now.body, "description") or "").startswith(OURS):
        return
    await remote.write("DELETE", target, None, lambda answer: answer.missing)


async def _archive(remote: Remote, target: Target, others: Mapping[str, int | None]) -> str:
    name = f"version {target.id.rpartition('/')[2]} of the environment"
    now = await remote.read(target)
    if now.missing or now.body is None:
        return "the environment version was never registered"
    for other, step in others.items():
        if "/deployments/" not in other.lower():
            continue
        user = (await remote.read(Target(other, ML))).body
        if user is None or (text_of(user, "environmentId") or "").lower() != target.id.lower():
            continue
        if step is not None:
            raise RefusedError(f"{name} is used by {short_id(other)}: undo step {step} first")
        return f"{name} stays: {short_id(other)} uses it"
    if not _is_archived(now):
        body = content(now.body)
        body["properties"] = {**body.get("properties", {}), "isArchived": True}
        await remote.write("PUT", target, body, _is_archived, now.etag)
    return f"{name} stays, archived: a version cannot be unmade"


def _is_archived(answer: Answer) -> bool:
    return answer.body is not None and answer.body.get("properties", {}).get("isArchived") is True


async def _restore(remote: Remote, entry: Entry, target: Target, kept: bytes | None) -> str | None:
    """Write the former content back; words where Azure does not accept that any more."""
    now = await remote.settled(target)
    change = entry.changes[0]
    if now.missing or now.body is None:
        raise RefusedError(f"{target.id} is not there any more")
    held = digest(now.body)
    if held == change.before:
        return None
    if held != change.after:
        raise RefusedError(f"{target.id} was changed since, by a later step or by somebody else")
    if kept is None or digest(json.loads(kept)) != change.before:
        raise RefusedError(f"what {target.id} held is not beside the journal any more")
    try:
        await remote.write("PUT", target, json.loads(kept), lambda one: digest(one.body) == change.before, now.etag)
    except NotTakenError as error:
        if "(400" not in str(error):
            raise
        words = f"it stays as it is now, for Azure does not accept what was there before: {error}"
        if not entry.irreversible:
            raise RefusedError(words) from error
        return f"{words}; the plan said so"
    return None


def assignment_mark(body: dict[str, Json]) -> str:
    return str(text_of(body, "updatedOn") or text_of(body, "createdOn"))


def text_of(body: dict[str, Json], name: str) -> str | None:
    value = (body.get("properties") or {}).get(name)
    return value if isinstance(value, str) else None
