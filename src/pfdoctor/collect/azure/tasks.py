"""Facts that are being collected, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from pfdoctor.core.model import Json


def begin(**coroutines: Coroutine[Any, Any, Json]) -> dict[str, asyncio.Task[Json]]:
    """Starts to collect each of the facts, by name."""
    return {name: asyncio.ensure_future(one) for name, one in coroutines.items()}


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Ends what is still running, and looks at how it ended, so that nothing is left behind."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


async def at_hand(value: Json) -> Json:
    """A fact that needs no reading."""
    return value
