"""What was seen of a live case, in a few lines: also where nothing is wrong, a person wants to know what answered."""

from __future__ import annotations

from collections.abc import Iterator

from pfdoctor.core.derive.nodes import items
from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json

_PROBES = (
    ("/swagger.json", "swagger_with_header"),
    ("/health", "health"),
    ("/score", "score"),
)
_SHOWN = 4
_ABSENT = "does not exist yet"


def observed(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Pairs of a label and what is known under it; nothing of a case that was not looked at in Azure."""
    live = facts.document.get("live")
    if not isinstance(live, dict):
        return ()
    lines = (
        ("endpoint", _endpoint(_known(live.get("endpoint"))) if live.get("endpoint", {}) else _ABSENT),
        ("deployed", _deployment(_known(live.get("deployment")))),
        ("identity", _identity(_known(live.get("identity")))),
        ("answers", ", ".join(_answers(_known(live.get("data_plane"))))),
        ("logs", _logs(facts.document.get("logs"))),
    )
    return tuple((label, text) for label, text in lines if text)


def _known(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) and "$unknown" not in value else {}


def _endpoint(endpoint: dict[str, Json]) -> str:
    if not endpoint:
        return ""
    deployments = items(endpoint.get("deployments"))
    shares = [f"{one.get('name')} {one.get('traffic') or 0} %" for one in deployments]
    more = f" and {len(shares) - _SHOWN} more" if len(shares) > _SHOWN else ""
    traffic = f"traffic {', '.join(shares[:_SHOWN])}{more}" if shares else "no deployment"
    mode = endpoint.get("auth_mode")
    return ", ".join([_state(endpoint), *([f"authentication by {mode}"] if isinstance(mode, str) else []), traffic])


def _deployment(deployment: dict[str, Json]) -> str:
    if not deployment:
        return ""
    size, number = deployment.get("instance_type"), deployment.get("instance_count")
    parts = [_state(deployment)]
    if isinstance(size, str):
        parts.append(f"{number} × {size}" if isinstance(number, int) else size)
    return ", ".join(parts)


def _state(resource: dict[str, Json]) -> str:
    state = resource.get("provisioning_state")
    return state if isinstance(state, str) else "state not known"


def _identity(identity: dict[str, Json]) -> str:
    kind, principal = identity.get("type"), identity.get("principal_id")
    if not isinstance(kind, str):
        return ""
    name = str(identity.get("resource_id") or "").rpartition("/")[2]
    who = f"{kind.replace('_', '-')} {name}".strip()
    return f"{who}, object id {principal}" if isinstance(principal, str) else who


def _answers(data_plane: dict[str, Json]) -> Iterator[str]:
    for route, key in _PROBES:
        answer = data_plane.get(key)
        if not isinstance(answer, dict):
            continue
        if "$unknown" in answer:
            if answer["$unknown"].get("code") != "not-asked":
                yield f"{route} none"
            continue
        model, took = answer.get("model_status"), answer.get("latency_ms")
        told = f" (container {model})" if isinstance(model, int) else ""
        yield f"{route} {answer.get('status')}{told}" + (f" in {took:,.0f} ms" if isinstance(took, int | float) else "")


def _logs(logs: Json) -> str:
    read = [one for one in logs if isinstance(one, dict)] if isinstance(logs, list) else []
    # what the endpoint answered is a log, too, and stands among the answers
    told = [
        f"{one.get('source')} {one.get('lines') or 0:,} lines"
        for one in read
        if not str(one.get("source")).startswith("answer of ")
    ]
    return ", ".join(told[:_SHOWN]) + (f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else "")
