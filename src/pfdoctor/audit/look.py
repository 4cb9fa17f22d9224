"""Looks at endpoints, many at once: each ends with an entry in the state, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from pfdoctor.audit.examined import Examined, Read
from pfdoctor.audit.fleet import Endpoint, interleaved
from pfdoctor.audit.how import How
from pfdoctor.audit.login import UNAUTHENTICATED, Login
from pfdoctor.audit.record import unread
from pfdoctor.audit.state import State
from pfdoctor.cloud.errors import AuthenticationError
from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.shared import Shared
from pfdoctor.collect.azure.collector import Collection, collect_through
from pfdoctor.core.model import Json, NoInputError, Unknown
from pfdoctor.report.summary import INTERNAL

_DEPLOYER = Unknown("not-looked", "who deploys is not known to an audit, which has a login of its own")


def _log_unread(reader: Reader) -> Unknown | None:
    return next((why for (method, _, _), why in reader.failures.items() if method == "POST"), None)


class Looking:
    """One run over the endpoints."""

    def __init__(self, state: State, reader: Reader, shared: Shared, login: Login, how: How) -> None:
        self._state = state
        self._reader = reader
        self._shared = shared
        self._login = login
        self._how = how
        self._brief = Collection(
            brief=True,
            metrics=how.metrics,
            environment=how.environment,
            limits=how.limits,
            now=how.now,
        )

    async def run(self, endpoints: Sequence[Endpoint]) -> None:
        """Every endpoint once; then, once more, those at which something failed that may pass."""
        state = self._state
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

        # as many again, for some of them wait for their rules, and requests are to be under way all the time
        under_way = min(2 * self._how.concurrency, len(endpoints))
        workers = [asyncio.ensure_future(work()) for _ in range(under_way)]
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
            examined = await self._examined(reader, endpoint, self._brief)
            if examined.wants_more:
                # whoever begins last with this ends last
                reader.is_urgent = True
                examined = await self._examined(reader, endpoint, self._brief._replace(brief=False, metrics=True))
        except NoInputError as error:
            return unread(endpoint, Unknown("gone", f"Azure Resource Graph lists it, but {error}"), gone=True), False
        except AuthenticationError as error:
            # of this subscription alone, or of the login as a whole: then this raises again, and the audit ends
            await self._login.check()
            return unread(endpoint, Unknown(UNAUTHENTICATED, str(error))), False
        except Exception as error:  # noqa: BLE001 - a bug of ours at one endpoint must not cost the report of the others
            return unread(endpoint, Unknown(INTERNAL, self._how.broke(endpoint.id, error))), False
        else:
            return examined.entry, reader.is_troubled
        finally:
            await reader.close()

    async def _examined(self, reader: Reader, endpoint: Endpoint, how: Collection) -> Examined:
        """What the endpoint comes to: read briefly, or in full where that left a question."""
        signed_in = (self._login.cloud, self._login.credential)
        collected = await collect_through(reader, endpoint.target, _DEPLOYER, how, signed_in)
        if any(one.code == UNAUTHENTICATED for one in reader.failures.values()):
            await self._login.check()
        return await self._how.examine(Read(endpoint, collected, _log_unread(reader)))
