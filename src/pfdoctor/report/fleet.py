"""Reading the JSON reports of audits back, and what identifies a finding among those of many endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pfdoctor.core.model import Confidence, Json, PfdoctorError, Severity, Status

AUDIT = "pfdoctor/audit/v1"

Key = tuple[str, str]
"""An endpoint's id in lower case, as Azure compares them, and a finding's fingerprint."""


_TEXT_OR_NOTHING = (str, type(None))
_SEVERITIES = frozenset(map(str, Severity))
_FINDING: dict[str, Any] = {
    **dict.fromkeys(("rule", "title", "category", "message", "case", "fingerprint"), str),
    "status": frozenset(map(str, Status)),
    "severity": _SEVERITIES,
    "confidence": frozenset(map(str, Confidence)),
    "help": _TEXT_OR_NOTHING,
    "source": ({"id": str}, type(None)),
    "evidence": [{"path": str}],
    "missing": [{}],
    "remedies": [{"title": str, "level": str, "edits": [str], "steps": _TEXT_OR_NOTHING}],
}
_UNKNOWN = {"rule": str, "case": str, "detail": str, "permission": _TEXT_OR_NOTHING}
ENTRY: dict[str, Any] = {
    **dict.fromkeys(("id", "name", "workspace", "resource_group", "subscription"), str),
    "location": _TEXT_OR_NOTHING,
    "tags": {},
    "state": frozenset(("findings", "unknown", "healthy", "gone")),
    "worst": (_SEVERITIES, type(None)),
    "reason": ({"code": str, "detail": str, "permission": _TEXT_OR_NOTHING}, type(None)),
    "deployments": [{"name": str}],
    "rules": dict.fromkeys(("pass", "fail", "unknown", "not-applicable"), int),
    "findings": [_FINDING],
    "unknown": [_UNKNOWN],
}
"""The shape of an endpoint's entry, as `fault` takes it: as much of the schema as whoever reads it relies on."""
_RUN = {"started_at": str, "finished_at": str, "duration_seconds": (int, float), "complete": bool}
_REPORT: dict[str, Any] = {
    "version": str,
    "scope": {},
    "shard": ({"index": int, "of": int}, type(None)),
    "rules": [str],
    "run": _RUN | dict.fromkeys(("requests", "throttled", "in_scope"), int),
    "summary": {},
    "problems": [{"path": str, "problem": str, "detail": str}],
    "endpoints": [ENTRY],
}


def fault(value: Json, shape: Any, path: str = "") -> str | None:
    """Where a value is not of a shape, and how; None where it is.

    A shape is a type, a set of texts, a mapping of the keys that must be there, a list with the shape of its items (or
    none), or a tuple of shapes of which one is enough.
    """
    if isinstance(shape, tuple):
        faults = [fault(value, one, path) for one in shape]
        return None if None in faults else faults[0]
    if isinstance(shape, dict) and isinstance(value, dict):
        missing = next((key for key in shape if key not in value), None)
        if missing is not None:
            return f"{path or 'it'} has no {missing!r}"
        parts = ((value[key], one, f"{path}.{key}" if path else key) for key, one in shape.items())
    elif isinstance(shape, list) and isinstance(value, list):
        parts = ((one, shape[0], f"{path}[{number}]") for number, one in enumerate(value) if shape)
    elif isinstance(shape, frozenset):
        fine = isinstance(value, str) and value in shape
        return None if fine else f"{path} is none of {', '.join(sorted(shape))}"
    else:
        return None if isinstance(shape, type) and isinstance(value, shape) else f"{path or 'it'} has the wrong type"
    return next(filter(None, (fault(*one) for one in parts)), None)


def parse(text: str, name: str) -> dict[str, Json]:
    """The audit's JSON report. Raises PfdoctorError, with the file's name, for whatever is none."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PfdoctorError(f"{name} is no JSON: {error}") from error
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema != AUDIT:
        said = f"its schema is {schema!r}" if schema else "it names no schema"
        raise PfdoctorError(f"{name} is no report of pfdoctor audit --format json: {said}, not {AUDIT!r}")
    wrong = fault(report, _REPORT)
    if wrong is not None:
        raise PfdoctorError(f"{name} is damaged, or of another version of pfdoctor: {wrong}. Run the audit again")
    return dict(report)


def findings(report: dict[str, Json]) -> Iterator[tuple[Key, dict[str, Json], dict[str, Json]]]:
    """Each finding with its key and its endpoint; one that several deployments share comes once, at its first."""
    seen: set[Key] = set()
    for endpoint in report["endpoints"]:
        for finding in endpoint["findings"]:
            key = (endpoint["id"].lower(), finding["fingerprint"])
            if key not in seen:
                seen.add(key)
                yield key, endpoint, finding
