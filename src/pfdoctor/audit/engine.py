"""Reads and examines many endpoints at once, and loses none: each ends with an entry, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

from pfdoctor.audit.fleet import Endpoint, Shard, interleaved
from pfdoctor.audit.inventory import take_inventory
from pfdoctor.audit.login import UNAUTHENTICATED, Login
from pfdoctor.audit.record import record, unread, wants_more
from pfdoctor.audit.scope import Scope
from pfdoctor.audit.state import State
from pfdoctor.cloud.clouds import Cloud
from pfdoctor.cloud.credentials import Caller, Credential
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.cloud.pacing import PacingPolicy
from pfdoctor.cloud.pipeline import Limits, arm_pipeline
from pfdoctor.cloud.reader import Now, Reader, utc_now
from pfdoctor.cloud.shared import Shared
from pfdoctor.collect.azure import Collection, collect_through
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import CaseResult, Json, NoInputError, Unknown
from pfdoctor.core.rule import Symptom
from pfdoctor.report.summary import INTERNAL

_ROOM = 5000
"""Readings that are kept for other endpoints: those of some hundred workspaces, and some 40 MB."""

Examine = Callable[[Facts], Awaitable[CaseResult]]
Told = Callable[[dict[str, Json], int, int], None]
"""Told of each entry as it comes, how many there are by now, and how many there will be."""


class How(NamedTuple):
    """How to audit. `concurrency` is both endpoints and requests at once; `environment` names certificates."""

    examine: Examine
    symptoms: Mapping[str, Symptom]
    environment: Mapping[str, str]
    concurrency: int = 64
    metrics: bool = False
    limits: Limits = Limits()
    now: Now = utc_now
    told: Told = lambda _, __, ___: None
    broke: Callable[[str, Exception], str] = lambda _, error: type(error).__name__
    """Told of an endpoint that a bug of ours kept from being examined; what to say of it in the report."""


async def audit(
    scope: Scope, shard: Shard | None, state: State, cloud: Cloud, credential: Credential, how: How
) -> None:
    """Looks at every endpoint of the scope that has no entry in the state yet, and writes its entry there.

    Raises AuthenticationError where nobody is logged in, or no longer, and NoInputError where a named scope is none.
    What was done by then is in the state.
    """
    begun = how.limits.clock()
    caller = await credential.caller(cloud.arm_scope)
    pacing = PacingPolicy(how.limits.sleep, how.limits.clock)
    pipeline = arm_pipeline(
        cloud, credential, how.environment, how.limits._replace(connections=how.concurrency), pacing=pacing
    )
    shared = Shared(_ROOM, state.keep)
    state.fill(shared)
    try:
        async with pipeline:
            reader = Reader(pipeline, cloud, how.limits.request, how.now)
            login = Login(cloud, credential, lambda: Reader(pipeline, cloud, how.limits.request, how.now), how.limits)
            if state.inventory is None or state.inventory.problems:
                inventory = await take_inventory(reader, scope)
                if any(one.problem == UNAUTHENTICATED for one in inventory.problems):
                    await login.check()
                state.set_inventory(inventory)
                await reader.close()
            # a reader of its own: what the inventory was made of need not be kept
            reader = Reader(pipeline, cloud, how.limits.request, how.now)
            try:
                await _Audit(state, reader, shared, caller, login, how).run(shard)
            finally:
                await shared.close()
    finally:
        state.close_session(pacing.sent, pacing.throttled, round(how.limits.clock() - begun, 3))


def meant(state: State, shard: Shard | None) -> list[Endpoint]:
    """The endpoints of the inventory that belong to the shard."""
    endpoints = state.inventory.endpoints if state.inventory is not None else ()
    return [one for one in endpoints if shard is None or shard.holds(one)]


def _log_unread(reader: Reader) -> Unknown | None:
    return next((why for (method, _, _), why in reader.failures.items() if method == "POST"), None)


class _Audit:
    """One run over the endpoints."""

    def __init__(self, state: State, reader: Reader, shared: Shared, caller: Caller, login: Login, how: How) -> None:
        self._state = state
        self._reader = reader
        self._shared = shared
        self._caller = caller
        self._login = login
        self._how = how
        self._brief = Collection(
            brief=True,
            metrics=how.metrics,
            symptoms=how.symptoms,
            environment=how.environment,
            limits=how.limits,
            now=how.now,
        )

    async def run(self, shard: Shard | None) -> None:
        """Every endpoint once; then, once more, those at which something failed that may pass."""
        state = self._state
        endpoints = meant(state, shard)
        total, left = len(endpoints), [one for one in interleaved(endpoints) if one.key not in state.done]
        again: list[Endpoint] = []

        def ended(endpoint: Endpoint, entry: dict[str, Json], *, troubled: bool) -> None:
            if troubled:
                again.append(endpoint)
            else:
                state.add(entry)
                self._how.told(entry, len(state.done), total)

        await self._all(left, ended)

        def ended_again(_: Endpoint, entry: dict[str, Json], *, troubled: bool) -> None:  # noqa: ARG001 - it stays so
            state.add(entry)
            self._how.told(entry, len(state.done), total)

        await self._all(list(interleaved(again)), ended_again)

    async def _all(self, endpoints: list[Endpoint], ended: Callable[..., None]) -> None:
        waiting = iter(endpoints)

        async def work() -> None:
            for endpoint in waiting:
                entry, troubled = await self._look(endpoint)
                ended(endpoint, entry, troubled=troubled)

        workers = [asyncio.ensure_future(work()) for _ in range(min(self._how.concurrency, len(endpoints)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for one in workers:
                one.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _look(self, endpoint: Endpoint) -> tuple[dict[str, Json], bool]:
        """The endpoint's entry, and whether something failed that may go well later."""
        below = f"/onlineendpoints/{endpoint.name.lower()}"
        inside = f"/workspaces/{endpoint.workspace.lower()}{below}"

        def is_own(url: str) -> bool:
            head, found, rest = url.partition(inside)
            return bool(found) and rest[:1] in ("/", "?", "") and endpoint.resource_group.lower() in head

        before, keep = self._state.own(endpoint.key), partial(self._state.keep_own, endpoint.key)
        reader = self._reader.share(self._shared, is_own, before, keep)
        try:
            cases = await self._cases(reader, endpoint)
            return record(endpoint, cases, _log_unread(reader)), reader.is_troubled
        except NoInputError as error:
            return unread(endpoint, Unknown("gone", f"Azure Resource Graph lists it, but {error}"), gone=True), False
        except AuthenticationError as error:
            # of this subscription alone, or of the login as a whole: then this raises again, and the audit ends
            await self._login.check()
            return unread(endpoint, Unknown(UNAUTHENTICATED, str(error))), False
        except Exception as error:  # noqa: BLE001 - a bug of ours at one endpoint must not cost the report of the others
            return unread(endpoint, Unknown(INTERNAL, self._how.broke(endpoint.id, error))), False
        finally:
            await reader.close()

    async def _cases(self, reader: Reader, endpoint: Endpoint) -> list[tuple[Facts, CaseResult]]:
        """The deployments' facts and what they came to: read briefly, and in full where that leaves a question."""
        cases = await self._examined(reader, endpoint, self._brief)
        if any(wants_more(facts, result) for facts, result in cases):
            cases = await self._examined(reader, endpoint, self._brief._replace(brief=False, metrics=True))
        return cases

    async def _examined(self, reader: Reader, endpoint: Endpoint, how: Collection) -> list[tuple[Facts, CaseResult]]:
        signed_in = (self._login.cloud, self._login.credential)
        facts = await collect_through(reader, endpoint.target, self._caller, how, signed_in)
        if any(one.code == UNAUTHENTICATED for one in reader.failures.values()):
            await self._login.check()
        results = await asyncio.gather(*map(self._how.examine, facts))
        return list(zip(facts, results, strict=True))
