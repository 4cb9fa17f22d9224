"""The steps of a plan that change Azure: looked at again, recorded, performed once, and taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from pfdoctor.apply.azure_look import Look, grants, holds, look_at, target_of, version_of
from pfdoctor.apply.azure_undo import OURS, assignment_mark, take_back, text_of
from pfdoctor.apply.effective import PATIENT, Waiting
from pfdoctor.apply.journal import Change, Entry, Journal, Record
from pfdoctor.apply.remote import ML, NotTakenError, Progress, Remote, Target, detail, state_of
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Credential
from pfdoctor.cloud.pipeline import Limits
from pfdoctor.cloud.writing import Answer, Wire, writing_pipeline
from pfdoctor.core.model import Json
from pfdoctor.core.plan import RefusedError, StaleError, Step
from pfdoctor.core.plan.resource import (
    AzureEdit,
    GrantRole,
    NewVersion,
    RegisterProvider,
    SyncKeys,
    UpdateDeployment,
    UpdateEndpoint,
    changed_body,
    content,
    digest,
    role_body,
)
from pfdoctor.core.plan.reversible import IRREVERSIBLE

_Result = TypeVar("_Result")


class Login(NamedTuple):
    """How to reach Azure: which, how patiently, and as whom: `make` gives a new credential, and so fresh tokens."""

    cloud: Cloud
    make: Callable[[], Credential]
    environment: Mapping[str, str]
    limits: Limits = Limits()
    progress: Progress = lambda _: None


class AzureHand:
    """Performs the steps of one plan in Azure. `plan` names it in the description of what is created."""

    def __init__(self, login: Login, plan: str = "", waiting: Waiting = PATIENT) -> None:
        self._login = login
        self.waiting = waiting
        self._description = f"{OURS}{plan}"

    def _with(self, work: Callable[[Remote], Awaitable[_Result]]) -> _Result:
        login = self._login

        async def session() -> _Result:
            async with login.make() as credential:
                pipeline = writing_pipeline(login.cloud, credential, login.environment, login.limits)
                async with pipeline:
                    return await work(Remote(Wire(pipeline, login.cloud, login.limits), login.progress))

        return asyncio.run(session())

    # ---------------------------------------------------------------------------------------------------- before all

    def check(self, steps: Sequence[Step], record: Record | None) -> bool:
        """Whether anything is to be done. Raises StaleError where a resource is not as the plan expects it."""

        async def look(remote: Remote) -> bool:
            looks = await asyncio.gather(*(look_at(remote, step, record) for step in steps))
            for one in looks:
                if one.stale is not None:
                    raise StaleError(f"{one.stale}; nothing was changed: plan again")
            return not all(one.done for one in looks)

        try:
            return self._with(look)
        except RefusedError as error:
            raise StaleError(f"{error}; nothing was changed") from error

    # ------------------------------------------------------------------------------------------------------ one step

    def perform(self, journal: Journal, step: Step, record: Record | None, tell: Callable[[Step], None]) -> bool:
        """Do the step, if its result is not there yet. Raises RefusedError where it cannot be done, or did harm."""

        async def act(remote: Remote) -> bool:
            look = await look_at(remote, step, record)
            if look.stale is not None:
                raise RefusedError(f"{look.stale}: plan again")
            if look.done:
                return False
            tell(step)
            await self._act(remote, journal, step, look)
            return True

        return self._with(act)

    async def _act(self, remote: Remote, journal: Journal, step: Step, look: Look) -> None:
        edit, before = step.edit, look.now.body if look.now.good else None
        if not isinstance(edit, AzureEdit):
            raise TypeError(f"step {step.id} is none of Azure")
        new = await self._new_body(remote, edit, before)
        after = digest(new) if isinstance(edit, UpdateDeployment | UpdateEndpoint | NewVersion) else None
        change = Change(edit.target, digest(before), after)
        irreversible = step.inverse.startswith(IRREVERSIBLE)
        entry = Entry(step.id, (change,), (), None, False, edit.target, irreversible=irreversible)
        kept = json.dumps(content(before), ensure_ascii=False).encode() if before is not None else None
        journal.begin(entry, {edit.target: (kept, None)})
        try:
            await self._send(remote, journal, step, new, look.now)
        except NotTakenError:
            journal.write({"event": "refused", "step": step.id})
            raise

    async def _send(self, remote: Remote, journal: Journal, step: Step, new: dict[str, Json], was: Answer) -> None:
        edit, before = step.edit, was.body if was.good else None
        if not isinstance(edit, AzureEdit):
            raise TypeError(f"step {step.id} is none of Azure")
        method = "POST" if isinstance(edit, RegisterProvider | SyncKeys) else "PUT"
        target = target_of(edit)
        if isinstance(edit, RegisterProvider | SyncKeys):
            await self._call(remote, edit)
            journal.write({"event": "done", "step": step.id, "created": False, "after": {}})
            return
        now, created = await remote.write(method, target, new, lambda answer: self._is_result(answer, edit), was.etag)
        if isinstance(edit, GrantRole) and created and now.body is not None:
            # what was there already, under this very name, is somebody else's
            created = text_of(now.body, "description") == self._description
        left = _mark(edit, now.body)
        journal.write({"event": "done", "step": step.id, "created": created, "after": {edit.target: left}})
        if not isinstance(edit, GrantRole):
            _not_worse(edit, before, now)

    async def _new_body(self, remote: Remote, edit: AzureEdit, before: dict[str, Json] | None) -> dict[str, Json]:
        match edit:
            case GrantRole():
                return role_body(edit, self._description)
            case NewVersion():
                base = (await remote.read(Target(edit.base, ML))).body or {}
                return {"properties": version_of(changed_body(base, edit.changes))}
            case UpdateDeployment() | UpdateEndpoint():
                return changed_body(before or {}, edit.changes)
            case _:
                return {}

    async def _call(self, remote: Remote, edit: RegisterProvider | SyncKeys) -> None:
        """A POST that may be sent again: both bring about a state rather than a thing."""
        path = f"{edit.target}/register" if isinstance(edit, RegisterProvider) else f"{edit.target}/resynckeys"
        await remote.post(Target(path, target_of(edit).api_version))
        await remote.settled(target_of(edit))

    def _is_result(self, answer: Answer, edit: AzureEdit) -> bool:
        body = answer.body
        if body is None or not answer.good:
            return False
        match edit:
            case GrantRole():
                return grants(body, edit)
            case UpdateDeployment() | UpdateEndpoint():
                return holds(answer, edit)
            case _:
                return answer.good

    # ------------------------------------------------------------------------------------------------------ taking back

    def resume(self, journal: Journal, steps: Mapping[int, Step], record: Record) -> None:
        """Close what a killed run left open: a step whose result is there is done."""

        async def close(remote: Remote) -> None:
            for entry in record.entries:
                step = steps.get(entry.step)
                if entry.resource is None or entry.done or step is None or isinstance(step.edit, SyncKeys):
                    continue
                look = await look_at(remote, step, record)
                if look.done and isinstance(step.edit, AzureEdit):
                    body = look.now.body if look.now.good else None
                    ours = body is not None and (text_of(body, "description") or "").startswith(OURS)
                    created = ours if isinstance(step.edit, GrantRole) else True
                    after = {step.edit.target: _mark(step.edit, body)}
                    journal.write({"event": "done", "step": entry.step, "created": created, "after": after})

        if any(entry.resource is not None and not entry.done for entry in record.entries):
            self._with(close)

    def log_in(self) -> None:
        """Get a token. Raises AuthenticationError where nobody is logged in."""
        login = self._login

        async def ask() -> None:
            async with login.make() as credential:
                await credential.get_token(login.cloud.arm_scope)

        asyncio.run(ask())

    def take_back(self, entry: Entry, kept: bytes | None, others: Mapping[str, int | None]) -> str | None:
        """Undo one step; what stays although all is well is returned, in words.

        `others` are the resources of the journal, each with the number of its step where that is not undone. Raises
        RefusedError where somebody changed the resource since, or Azure does not accept its former state.
        """
        return self._with(lambda remote: take_back(remote, entry, kept, others))


def _mark(edit: AzureEdit, body: dict[str, Json] | None) -> str | None:
    """By what an undo knows that nobody changed the result since."""
    if body is None:
        return None
    return assignment_mark(body) if isinstance(edit, GrantRole) else digest(body)


def _not_worse(edit: AzureEdit, before: dict[str, Json] | None, now: Answer) -> None:
    """A roll-out that fails where the one before had not did harm; one that fails again may tell the next cause."""
    if (state_of(now.body) or "").lower() != "failed":
        return
    if before is None or (state_of(before) or "").lower() not in ("failed", "canceled"):
        raise RefusedError(f"{edit.target} failed ({detail(now)})")
