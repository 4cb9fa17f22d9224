"""Fleets for the simulator: the healthy scenario many times over, some of its endpoints ill in a known way."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pfdoctor.simulator import Scenario

_HEALTHY = Path(__file__).parent.parent / "examples/scenarios/healthy.yaml"
_SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
_PRINCIPAL = "6287c88a-0000-4000-8000-000000000001"


def subscription_of(number: int) -> str:
    return f"11111111-2222-3333-4444-{number:012d}"


def fleet(
    endpoints: int,
    *,
    subscriptions: int = 1,
    per_workspace: int = 25,
    ill_every: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Scenario:
    """So many endpoints, `chat-0000000` and on, in the subscriptions by turns.

    The identity of every `ill_every`th may not pull its image.
    """
    data = copy.deepcopy(dict(Scenario.load(_HEALTHY).data))
    one = _split(data)
    whole: dict[str, Any] = {key: value for key, value in data.items() if key not in ("logs", "expect", "simulation")}
    whole |= {"resources": {}, "roleAssignments": {}, "settings": {"page_size": 30, **(settings or {})}}
    whole["principals"] = {name: who for name, who in data["principals"].items() if name != "chat"}
    for number in range(endpoints):
        subscription, inside = number % subscriptions, number // subscriptions
        place = f"{subscription:03d}-{inside // per_workspace:04d}"
        if inside % per_workspace == 0:
            _add(whole, one["workspace"], subscription, place, "")
        if inside == 0:
            _add(whole, one["subscription"], subscription, place, "")
        _add(whole, one["endpoint"], subscription, place, f"{number:07d}")
        if ill_every and number % ill_every == 0:
            del whole["roleAssignments"][f"{place}-{number:07d}-chat-image"]
    return Scenario.from_mapping(whole, "fleet")


def _split(data: dict[str, Any]) -> dict[str, str]:
    """The parts of the scenario that there are one of for each subscription, workspace and endpoint, as JSON."""
    parts: dict[str, dict[str, Any]] = {
        name: {"resources": {}, "roleAssignments": {}, "principals": {}}
        for name in ("subscription", "workspace", "endpoint")
    }
    for key, body in data["resources"].items():
        parts["endpoint" if "/onlineEndpoints/" in key else "workspace"]["resources"][key] = body
    for name, body in data["roleAssignments"].items():
        level = "endpoint" if body["principal"] == "chat" else "workspace"
        parts["subscription" if name == "subscription-quota" else level]["roleAssignments"][name] = body
    parts["endpoint"]["principals"]["chat"] = data["principals"]["chat"]
    return {name: json.dumps(part) for name, part in parts.items()}


def _add(whole: dict[str, Any], part: str, subscription: int, place: str, endpoint: str) -> None:
    text = part.replace(_SUBSCRIPTION, subscription_of(subscription))
    for name in ("rg-chat", "ws-chat", "crchat", "kvchat", "aichat", "aoai-chat", "srch-chat"):
        text = text.replace(name, f"{name}-{place}")
    text = text.replace("stchat", f"stchat{place.replace('-', '')}")
    if endpoint:
        text = text.replace("/onlineEndpoints/chat", f"/onlineEndpoints/chat-{endpoint}")
        text = text.replace(_PRINCIPAL, f"6287c88a-0000-4000-8000-{int(endpoint):012d}")
        text = text.replace('"principal": "chat"', f'"principal": "chat-{endpoint}"')
        text = text.replace('"chat": {"id"', f'"chat-{endpoint}": {{"id"')
        text = text.replace("deployment.endpoint_name=chat,", f"deployment.endpoint_name=chat-{endpoint},")
    for section, entries in json.loads(text).items():
        for key, body in entries.items():
            name = f"{place}-{endpoint}-{key}" if section == "roleAssignments" else key
            whole[section][name] = body


def names(endpoints: int) -> Iterator[str]:
    """The names of a fleet's endpoints."""
    return (f"chat-{number:07d}" for number in range(endpoints))
