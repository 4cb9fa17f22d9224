"""The logs of the deployment's two containers, and what it answered to a probe."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pfdoctor.cloud.reader import Reader
from pfdoctor.collect.azure import permissions, versions
from pfdoctor.collect.logs import Knowledge, read_text
from pfdoctor.core.model import Json, Unknown
from pfdoctor.core.redact import redact_text
from pfdoctor.core.rule import Symptom

_CONTAINERS = {"InferenceServer": "inference-server", "StorageInitializer": "storage-initializer"}
_TAIL, _BRIEF_TAIL = 5000, 1000
_ANSWERS = ("swagger_with_header", "score")


async def read_logs(
    reader: Reader, deployment: str, symptoms: Mapping[str, Symptom], changed: Json, *, brief: bool = False
) -> list[Json]:
    """The facts `logs` of both containers. `changed` is when the deployment last changed, ISO 8601.

    In brief it is the end of the log of the one that serves. A log that cannot be read is one in which nothing was
    looked for; its `cut` says why.
    """
    wanted, tail = (list(_CONTAINERS)[:1], _BRIEF_TAIL) if brief else (list(_CONTAINERS), _TAIL)
    return list(await asyncio.gather(*(_log(reader, deployment, one, symptoms, changed, tail) for one in wanted)))


async def _log(
    reader: Reader, deployment: str, container: str, symptoms: Mapping[str, Symptom], changed: Json, tail: int
) -> dict[str, Json]:
    body = {"containerType": container, "tail": tail}
    reading = await reader.post(f"{deployment}/getLogs", versions.ENDPOINT, body, permissions.LOGS)
    name = _CONTAINERS[container]
    source = f"{deployment.rpartition('/')[2]} {name}"
    # the service answers null for a container that has written nothing yet
    content = (reading.body.get("content") or "") if reading.body is not None else reading.value
    if not isinstance(content, str):
        why = content if isinstance(content, Unknown) else Unknown("wrong-type", "the content is no text")
        known = Knowledge(container=name)
        missing = f" (that takes {why.permission})" if why.permission else ""
        return read_text("", {}, source=source, known=known) | {
            "complete": False,
            "cut": redact_text(f"the log of {name} {why.detail}{missing}"),
        }
    since = changed if isinstance(changed, str) else None
    known = Knowledge(container=name, complete=since is not None, newer_than=since, tail=tail, ours=True)
    return read_text(content, symptoms, source=source, known=known)


def read_answers(data_plane: Json, symptoms: Mapping[str, Symptom]) -> list[Json]:
    """What the container answered in words, read like a log: it tells what no log holds yet.

    `data_plane` are the facts of that name. An answer says what it says, and nothing of what it leaves out.
    """
    if not isinstance(data_plane, dict) or "$unknown" in data_plane:
        return []
    found: list[Json] = []
    for name in _ANSWERS:
        answer = data_plane.get(name)
        text = answer.get("error_message") if isinstance(answer, dict) else None
        # without the container's own status it is the gateway that speaks
        if isinstance(answer, dict) and isinstance(text, str) and isinstance(answer.get("model_status"), int):
            source = f"answer of {answer.get('url')} ({answer.get('status')})"
            known = Knowledge(container=_CONTAINERS["InferenceServer"], ours=True)
            found.append(
                read_text(text, symptoms, source=source, known=known) | {"complete": False, "cut": "it is one answer"}
            )
    return found
