"""Facts that are being collected, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from pfdoctor.cloud.at_hand import AtHand
from pfdoctor.core.model import Json


def begin(**awaited: Awaitable[Json]) -> dict[str, Awaitable[Json]]:
    """Starts to collect each of the facts that are not at hand, by name. Each can be awaited more than once."""
    return {name: one if isinstance(one, AtHand) else asyncio.ensure_future(one) for name, one in awaited.items()}


async def end(begun: Iterable[Awaitable[Any]]) -> None:
    """Ends what is still running, and looks at how it ended, so that nothing is left behind."""
    ending = [one for one in begun if isinstance(one, asyncio.Future)]
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.gather(*ending, return_exceptions=True)
