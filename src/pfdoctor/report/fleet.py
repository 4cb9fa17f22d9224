"""Reading the JSON reports of audits back, and what identifies a finding among those of many endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pfdoctor.core.model import Json, PfdoctorError

AUDIT = "pfdoctor/audit/v1"

Key = tuple[str, str]
"""An endpoint's id in lower case, as Azure compares them, and a finding's fingerprint."""


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
    missing = [key for key in ("version", "run", "summary", "endpoints") if key not in report]
    if missing:
        raise PfdoctorError(f"{name} is damaged: it has no {missing[0]!r}")
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
