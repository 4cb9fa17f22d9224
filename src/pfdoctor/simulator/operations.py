"""Long-running operations: what was accepted now and is done, well or badly, some simulated time later."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from pfdoctor.simulator.clock import instant
from pfdoctor.simulator.world import World

Finish = Callable[[], Awaitable[dict[str, str] | None]]
"""Does what the operation was for; returns the error (code, message) that it ended in, or None."""


class Operation:
    """One operation, of the principal who started it."""

    def __init__(self, resource: str, location: str, owner: str, times: tuple[float, float], finish: Finish) -> None:
        self.id = str(uuid.uuid4())
        self.resource = resource
        self.location = location
        self.owner = owner
        self.started, self.due = times
        self.finish = finish
        self.done = False
        self.error: dict[str, str] | None = None

    def status(self) -> dict[str, Any]:
        """The body that its status URL answers."""
        state = "InProgress" if not self.done else "Failed" if self.error else "Succeeded"
        body: dict[str, Any] = {"name": self.id, "status": state, "startTime": instant(self.started)}
        if self.done:
            body["endTime"] = instant(self.due)
        if self.error:
            body["error"] = self.error
        return body


class Operations:
    """All operations of a world. They are finished when somebody looks, in the order in which they were due."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_id: dict[str, Operation] = {}
        self._pending: list[tuple[float, int, Operation]] = []
        self._order = itertools.count()

    def start(self, resource: str, location: str, owner: str, *, seconds: float, finish: Finish) -> Operation:
        now = self._world.clock.now()
        operation = Operation(resource, location, owner, (now, now + seconds), finish)
        self._by_id[operation.id] = operation
        heapq.heappush(self._pending, (operation.due, next(self._order), operation))
        return operation

    async def settle(self) -> None:
        """Finish what is due by now."""
        now = self._world.clock.now()
        while self._pending and self._pending[0][0] <= now:
            operation = heapq.heappop(self._pending)[2]
            try:
                operation.error = await operation.finish()
            finally:
                operation.done = True  # should our own code fail, no client is to wait forever for it

    def get(self, identifier: str) -> Operation | None:
        return self._by_id.get(identifier)

    def headers(self, operation: Operation, base: str, subscription: str, api_version: str) -> dict[str, str]:
        """Where to ask for its state and its result, and when."""
        provider = f"{base}/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices"
        prefix = f"{provider}/locations/{operation.location}"
        version = f"?api-version={api_version}"
        wait = max(0.02, operation.due - self._world.clock.now())
        seconds = (
            {"Retry-After": str(min(30, int(wait)))}
            if wait >= 1
            else {"x-ms-retry-after-ms": str(int(wait * 1000) + 1)}
        )
        return {
            "Azure-AsyncOperation": f"{prefix}/mfeOperationsStatus/{operation.id}{version}",
            "Location": f"{prefix}/mfeOperationResults/{operation.id}{version}",
            "x-ms-async-operation-timeout": "PT1H",
            **seconds,
        }
