"""The logs of the deployment's two containers, and what it answered to a probe."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.logs import Knowledge, read_text
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.redact import redact_text
from pfdoctor.core.rule import Symptom

_CONTAINERS = {"InferenceServer": "inference-server", "StorageInitializer": "storage-initializer"}
_TAIL, _BRIEF_TAIL = 5000, 1000
_ANSWERS = ("swagger_with_header", "score")


class LogText(NamedTuple):
    """A log as it was answered, before anything is looked for in it. `cut` says why there is no more, or nothing."""

    content: str
    source: str
    known: Knowledge
    cut: str | None = None

    def read(self, symptoms: Mapping[str, Symptom]) -> dict[str, Json]:
        """The facts `logs` of it; of one that could not be read, that nothing was looked for."""
        if self.cut is None:
            return read_text(self.content, symptoms, source=self.source, known=self.known)
        looked_for = symptoms if self.content else {}
        facts = read_text(self.content, looked_for, source=self.source, known=self.known)
        return facts | {"complete": False, "cut": self.cut}


async def read_logs(reader: Reader, deployment: str, changed: Json, *, brief: bool = False) -> list[LogText]:
    """The logs of both containers. `changed` is when the deployment last changed, ISO 8601.

    In brief it is the end of the log of the one that serves. A log that cannot be read is one in which nothing was
    looked for; its `cut` says why.
    """
    wanted, tail = (list(_CONTAINERS)[:1], _BRIEF_TAIL) if brief else (list(_CONTAINERS), _TAIL)
    return list(await asyncio.gather(*(_log(reader, deployment, one, changed, tail) for one in wanted)))


async def _log(reader: Reader, deployment: str, container: str, changed: Json, tail: int) -> LogText:
    body = {"containerType": container, "tail": tail}
    reading = await reader.post(f"{deployment}/getLogs", versions.ENDPOINT, body, permissions.LOGS)
    name = _CONTAINERS[container]
    source = f"{deployment.rpartition('/')[2]} {name}"
    # the service answers null for a container that has written nothing yet
    content = (reading.body.get("content") or "") if reading.body is not None else reading.value
    if not isinstance(content, str):
        why = content if isinstance(content, Unknown) else Unknown("wrong-type", "the content is no text")
        missing = f" (that takes {why.permission})" if why.permission else ""
        cut = redact_text(f"the log of {name} {why.detail}{missing}")
        return LogText("", source, Knowledge(container=name), cut)
    since = changed if isinstance(changed, str) else None
    known = Knowledge(container=name, complete=since is not None, newer_than=since, tail=tail, ours=True)
    return LogText(content, source, known)


def read_answers(data_plane: Json) -> list[LogText]:
    """What the container answered in words, like a log: it tells what no log holds yet.

    `data_plane` are the facts of that name. An answer says what it says, and nothing of what it leaves out.
    """
    if not isinstance(data_plane, dict) or "$unknown" in data_plane:
        return []
    found: list[LogText] = []
    for name in _ANSWERS:
        answer = data_plane.get(name)
        text = answer.get("error_message") if isinstance(answer, dict) else None
        # without the container's own status it is the gateway that speaks
        if isinstance(answer, dict) and isinstance(text, str) and isinstance(answer.get("model_status"), int):
            source = f"answer of {answer.get('url')} ({answer.get('status')})"
            known = Knowledge(container=_CONTAINERS["InferenceServer"], ours=True)
            found.append(LogText(text, source, known, "it is one answer"))
    return found
