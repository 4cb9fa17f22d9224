"""The logs of the deployment's two containers."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from pfdoctor.cloud.reader import Reader
from pfdoctor.cloud.reading import Source
from pfdoctor.collect.azure import versions
from pfdoctor.collect.azure.arm_id import ML
from pfdoctor.collect.azure.body import named
from pfdoctor.core.model import Unknown

CONTAINERS = {"InferenceServer": "inference-server", "StorageInitializer": "storage-initializer"}
_TAIL = 5000


class LogText(NamedTuple):
    """The log of one container: its text, or why there is none. `cut` tells that it may begin before the text does."""

    container: str
    text: str | Unknown
    cut: bool
    source: Source


async def read_logs(reader: Reader, deployment: str) -> tuple[LogText, ...]:
    """The last lines of both containers' logs."""
    return tuple(await asyncio.gather(*(_log(reader, deployment, one) for one in CONTAINERS)))


async def _log(reader: Reader, deployment: str, container: str) -> LogText:
    needed = f"{ML}/workspaces/onlineEndpoints/deployments/getLogs/action"
    body = {"containerType": container, "tail": _TAIL}
    reading = await reader.post(f"{deployment}/getLogs", versions.ENDPOINT, body, needed)
    name = CONTAINERS[container]
    what = f"the log of {name}"
    if reading.body is None:
        why = named(reading.unknown or Unknown("not-collected", "not collected"), what)
        return LogText(name, why, cut=True, source=reading.source)
    content = reading.body.get("content")
    if content is None:
        content = ""  # the container has written nothing yet
    if not isinstance(content, str):
        return LogText(name, Unknown("wrong-type", f"{what}: the content is no text"), cut=True, source=reading.source)
    return LogText(name, content, content.count("\n") >= _TAIL - 1, reading.source)
