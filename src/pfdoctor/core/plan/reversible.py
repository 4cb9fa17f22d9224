"""What Azure will not take back, said before it is done: a former state that it would refuse as a new one."""

from __future__ import annotations

from collections.abc import Iterable

from pfdoctor.core.facts import Facts
from pfdoctor.core.model import Json
from pfdoctor.core.plan.resource import AzureEdit, Resources, UpdateDeployment, UpdateEndpoint

IRREVERSIBLE = "irreversible: "
"""How the inverse of a step begins that an undo cannot take back."""


def refused_again(edit: AzureEdit, resources: Resources, cases: Iterable[Facts]) -> str | None:
    """Why Azure would refuse the state that is there now, in the words of a step's inverse; None where it may not."""
    match edit:
        case UpdateDeployment(target):
            reason = _without_routes(resources.body(target), resources)
        case UpdateEndpoint(target):
            reason = _to_nobody(resources.body(target), target, cases)
        case _:
            reason = None
    return None if reason is None else f"{IRREVERSIBLE}Azure does not accept {reason}, so what is there now is not back"


def _without_routes(deployment: dict[str, Json] | None, resources: Resources) -> str | None:
    properties = (deployment or {}).get("properties") or {}
    named = properties.get("environmentId")
    environment = resources.body(named) if isinstance(named, str) else None
    if environment is None or (environment.get("properties") or {}).get("inferenceConfig"):
        return None
    if (properties.get("codeConfiguration") or {}).get("scoringScript"):
        return None
    return "a deployment without scoring routes a second time"


def _to_nobody(endpoint: dict[str, Json] | None, target: str, cases: Iterable[Facts]) -> str | None:
    traffic = ((endpoint or {}).get("properties") or {}).get("traffic")
    known = _deployments(target, cases)
    if not isinstance(traffic, dict) or known is None:
        return None
    gone = [name for name, percent in traffic.items() if percent and name.lower() not in known]
    return f"traffic to {' and '.join(gone)}, which {'is' if len(gone) == 1 else 'are'} not there" if gone else None


def _deployments(endpoint: str, cases: Iterable[Facts]) -> set[str] | None:
    """The names of an endpoint's deployments in lower case; None where they are not known."""
    for facts in cases:
        known = (facts.document.get("live") or {}).get("endpoint")
        if not isinstance(known, dict) or str(known.get("id")).lower() != endpoint.lower():
            continue
        rows = known.get("deployments")
        if isinstance(rows, list) and all(isinstance(row, dict) and isinstance(row.get("name"), str) for row in rows):
            return {row["name"].lower() for row in rows}
    return None
