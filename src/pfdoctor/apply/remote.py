"""Requests that a step is made of, carried through: throttling, conflicts, lost answers and long-running operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pfdoctor.cloud.writing import Answer, Wire
from pfdoctor.core.model import Json, Unknown, short_id
from pfdoctor.core.plan import PassingError, RefusedError

_TRIES = 6
_BACKOFF = 1.0
_POLL = 5.0
_LONGEST_WAIT = 60.0
_TELL = 15.0
_MOST_POLLS = 720
BUSY = frozenset(("creating", "updating", "scaling", "deleting", "registering"))
_REPLICATION = (5.0, 10.0, 20.0, 40.0)
"""Seconds to wait for a principal that the directory does not show everywhere yet."""

ML, ASSIGNMENTS, PROVIDERS = "2024-10-01", "2022-04-01", "2021-04-01"

Progress = Callable[[str], None]
Holds = Callable[[Answer], bool]
"""Whether what was read is already as the write would leave it."""


class NotTakenError(RefusedError):
    """Azure refused a write outright: nothing of it took effect."""


class BusyError(NotTakenError, PassingError):
    """Azure refused a write for what is under way at this moment."""


class Target(NamedTuple):
    """A resource and the version of the interface that it is read and written with."""

    id: str
    api_version: str


class Remote:
    """Reads and writes of single resources, until they are settled."""

    def __init__(self, wire: Wire, progress: Progress) -> None:
        self._wire = wire
        self._progress = progress

    async def read(self, target: Target) -> Answer:
        """The resource, or that it is not there. Raises RefusedError where that cannot be told."""
        answer = await self._patiently(lambda: self._wire.send("GET", target.id, target.api_version))
        if answer.missing or (answer.good and answer.body is not None):
            return answer
        raise PassingError(f"{target.id} could not be read: {detail(answer)}")

    async def items(self, path: str, api_version: str, query: dict[str, str]) -> list[Json]:
        """The first page of a collection."""
        answer = await self._patiently(lambda: self._wire.send("GET", path, api_version, query=query))
        if not answer.good or answer.body is None:
            raise PassingError(f"{path} could not be read: {detail(answer)}")
        return [one for one in answer.body.get("value") or () if isinstance(one, dict)]

    async def _patiently(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await send()
        for attempt in range(_TRIES):
            malformed = answer.good and answer.body is None
            if not (answer.open or malformed or answer.status == 429):
                break
            await self._wire.sleep(_pause(answer, attempt))
            answer = await send()
        return answer

    async def settled(self, target: Target) -> Answer:
        """The resource once nothing is under way with it; what is, and for how long, is told every now and then."""
        waited, told = 0.0, -_TELL
        for _ in range(_MOST_POLLS):
            answer = await self.read(target)
            state = state_of(answer.body)
            if state is None or state.lower() not in BUSY:
                return answer
            if waited - told >= _TELL:
                told = waited
                self._progress(f"{short_id(target.id)} is {state} ({waited:.0f} s)")
            pause = answer.wait if answer.wait is not None else _POLL
            await self._wire.sleep(pause)
            waited += pause
        raise PassingError(f"{target.id} was still being changed after an hour: run the same command again later")

    async def write(
        self, method: str, target: Target, body: Json, holds: Holds, etag: str | None = None
    ) -> tuple[Answer, bool]:
        """Write, and wait until it is done: the resource then, and whether it was this write that did it.

        Raises RefusedError where Azure refuses it, or somebody else changed the resource meanwhile.
        """
        lost, answer = False, Answer(None)
        replication = list(_REPLICATION)
        for attempt in range(_TRIES):
            answer = await self._wire.send(method, target.id, target.api_version, body, etag)
            if answer.good:
                try:
                    return await self._done(target, answer), True
                except PassingError as unsettled:
                    raise PassingError(f"Azure accepted it, and then {unsettled}") from unsettled
            if answer.code == "RoleAssignmentExists":
                return answer, False
            if answer.code == "PrincipalNotFound" and replication:
                self._progress("the identity is not known everywhere yet")
                await self._wire.sleep(replication.pop(0))
                continue
            if answer.open or answer.status in (409, 412):
                lost = lost or answer.open
                if answer.open:
                    await self._wire.sleep(_pause(answer, attempt))
                now = await self.settled(target)
                if holds(now):
                    return now, lost
                if answer.status == 412 or (etag is not None and now.etag != etag and not answer.open):
                    raise RefusedError(f"somebody else changed {target.id} meanwhile: plan again")
                if answer.status == 409:
                    await self._wire.sleep(_pause(answer, attempt))
                continue
            if answer.status == 429:
                await self._wire.sleep(_pause(answer, attempt))
                continue
            break
        error = refusal(method, target, answer)
        # whether one of the lost ones took effect after all is for the undo to find out
        raise error if not lost else PassingError(str(error))

    async def post(self, target: Target) -> None:
        """A POST that brings about a state, and so may be sent again until it is answered."""
        answer = await self._wire.send("POST", target.id, target.api_version)
        for attempt in range(_TRIES):
            if not (answer.open or answer.status in (409, 429)):
                break
            await self._wire.sleep(_pause(answer, attempt))
            answer = await self._wire.send("POST", target.id, target.api_version)
        if not answer.good:
            raise refusal("POST", target, answer)

    async def _done(self, target: Target, answer: Answer) -> Answer:
        """The resource after a write that was accepted; of an operation that failed, with its error."""
        now = await self.settled(target)
        if (state_of(now.body) or "").lower() == "failed" and answer.operation is not None:
            told = await self._wire.follow(answer.operation)
            error = told.body.get("error") if told.body is not None else None
            if isinstance(error, dict):
                text = f"{error.get('code')}: {error.get('message')}"
                return now._replace(why=Unknown("failed", text))
        return now


def _pause(answer: Answer, attempt: int) -> float:
    if answer.wait is not None:
        return min(answer.wait, _LONGEST_WAIT)
    return float(min(_BACKOFF * 2**attempt, 20.0))


def detail(answer: Answer) -> str:
    """What went wrong, in a sentence."""
    if answer.why is not None:
        return answer.why.detail
    return "the answer holds no resource" if answer.good else f"status {answer.status}"


def refusal(method: str, target: Target, answer: Answer) -> RefusedError:
    """The refusal of a write, with what to do about it."""
    told = detail(answer).replace("may not be read", "refused")
    hint = _HINTS.get(answer.code or "", "")
    if answer.status == 403:
        ask = "`pfdoctor plan … --hand-off FILE` writes down what to ask an administrator for"
        return NotTakenError(f"Azure refused to {method} {target.id} ({told}); {hint or ask}")
    busy = answer.open or answer.status in (409, 429)
    kind = PassingError if answer.open else BusyError if busy else NotTakenError
    return kind(f"{method} {target.id} failed: {told}{f'; {hint}' if hint else ''}")


_HINTS = {
    "RoleAssignmentLimitExceeded": "the subscription has as many role assignments as it may have: remove unused ones, "
    "or let several endpoints share a user-assigned identity",
    "ScopeLocked": "a lock on the scope has to be lifted by whoever set it",
    "PrincipalNotFound": "the identity is still not known: is it the object id, and of this tenant?",
    "RequestDisallowedByPolicy": "a policy forbids it: ask whoever owns the policy that is named",
    "RoleDefinitionDoesNotExist": "the role cannot be assigned at this scope",
}


def state_of(body: dict[str, Json] | None) -> str | None:
    """The provisioning state of a resource, or the registration state of a provider."""
    if body is None:
        return None
    properties = body.get("properties")
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    state = body.get("registrationState") if state is None else state
    return state if isinstance(state, str) else None
