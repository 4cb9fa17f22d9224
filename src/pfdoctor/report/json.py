"""The report for a program: versioned JSON, described by docs/schema/report.schema.json.

The same input gives the same bytes: no time, no absolute path, everything sorted. One finding, case or problem a line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

import pfdoctor
from pfdoctor.core.model import (
    Differential,
    Finding,
    Json,
    Missing,
    Origin,
    Place,
    Remedy,
    Report,
    Severity,
    Source,
    Status,
    Unknown,
)
from pfdoctor.report.summary import Gate, Sighting, Summary, summarise

SCHEMA_NAME = "pfdoctor/report/v1"


def render(report: Report, gate: Gate) -> str:
    """The report as JSON text that ends with a newline."""
    return dump(document(report, gate))


def document(report: Report, gate: Gate) -> dict[str, Json]:
    """The report as plain JSON values."""
    summary = summarise(report, gate)
    cases = [
        {
            "name": case.name,
            "kind": case.kind,
            "joins": list(case.joins),
            "outcomes": {str(status): sorted(case.outcomes.get(status, ())) for status in Status},
            "ranking": [finding.fingerprint for finding in case.findings] if case.differentials else [],
            "differentials": [_differential(one) for one in case.differentials],
        }
        for case in report.cases
    ]
    return {
        "schema": SCHEMA_NAME,
        "version": pfdoctor.__version__,
        "summary": _summary(summary),
        "findings": _sorted(map(_sighting, summary.sightings), "path", "line", "column", "rule", "fingerprint"),
        "not_checked": _sorted(_not_checked(report), "rule"),
        "cases": _sorted(cases, "name", "kind"),
        "problems": _sorted(report.problems, "path", "problem"),
        "notices": list(report.notices),
    }


def _not_checked(report: Report) -> Iterator[dict[str, Json]]:
    """The undecided rules; cases that miss the same facts share an entry, for a repository may have thousands."""
    cases: dict[tuple[str, tuple[Missing, ...]], set[str]] = {}
    for case in report.cases:
        for finding in case.unknown:
            cases.setdefault((finding.rule, finding.missing), set()).add(case.name)
    for (rule, missing), names in cases.items():
        yield {"rule": rule, "cases": sorted(names), "missing": [_missing(one) for one in missing]}


def dump(value: dict[str, Json]) -> str:
    """JSON text with each key of the top level, and each element of its lists, on a line of its own.

    That is readable in a diff, and, unlike `indent=`, done by the C encoder.
    """
    parts = []
    for key, content in value.items():
        if isinstance(content, list) and content:
            body = "[\n" + ",\n".join(map(encode, content)) + "\n]"
        else:
            body = encode(content)
        parts.append(f"{encode(key)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def encode(value: Json) -> str:
    """One JSON value on one line; numbers that JSON cannot hold become texts, as do lone surrogates of file names."""
    value = _plain(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Json) -> Json:
    """The value of a fact as JSON: the encoder would take an Unknown, which is a tuple, for a list."""
    return value.to_json() if isinstance(value, Unknown) else value


def _finite(value: Json) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(element) for key, element in value.items()}
    return [_finite(element) for element in value] if isinstance(value, list) else value


def _sorted(elements: Iterable[dict[str, Json]], *keys: str) -> list[dict[str, Json]]:
    """Sorted by the keys, null before everything, and by the rest where those are equal."""
    return sorted(elements, key=lambda one: ([_rank(one[key]) for key in keys], encode(one)))


def _rank(value: Json) -> tuple[bool, Json]:
    return (False, "") if value is None else (True, value)


def _summary(summary: Summary) -> dict[str, Json]:
    by_status = summary.by_status()
    return {
        "cases": summary.cases,
        "rules": summary.rules,
        "left_out": summary.left_out,
        "outcomes": {
            "pass": summary.passed,
            "fail": summary.failed,
            "unknown": summary.unknown,
            "not-applicable": summary.not_applicable,
        },
        "findings": len(summary.sightings),
        "by_severity": {str(severity): number for severity, number in summary.by_severity().items()},
        "by_status": {str(status): by_status[status] for status in by_status},
        "worst": _text(summary.worst),
        "problems": summary.problems,
        "exit_code": summary.exit_code,
        "exit_reason": summary.exit_reason,
    }


def _text(severity: Severity | None) -> str | None:
    return None if severity is None else str(severity)


def _sighting(sighting: Sighting) -> dict[str, Json]:
    return finding_body(sighting.finding, cases=list(sighting.cases))


def finding_body(finding: Finding, **more: Json) -> dict[str, Json]:
    """A finding as plain JSON values; `more` stands after its case."""
    origin = finding.origin if isinstance(finding.origin, Origin) else None
    return {
        "rule": finding.rule,
        "title": finding.title,
        "category": finding.category,
        "status": str(finding.status),
        "severity": str(finding.severity),
        "confidence": str(finding.confidence),
        "message": finding.message,
        "case": finding.case,
        **more,
        "subject": finding.subject,
        "path": origin.file if origin else None,
        "line": origin.line if origin else None,
        "column": origin.column if origin else None,
        "end_column": origin.end_column if origin else None,
        "source": _source(finding.origin),
        "evidence": [
            {
                "path": one.path,
                "value": _plain(one.value),
                "file": one.origin.file if isinstance(one.origin, Origin) else None,
                "line": one.origin.line if isinstance(one.origin, Origin) else None,
                "source": _source(one.origin),
            }
            for one in finding.evidence
        ],
        "missing": [_missing(one) for one in finding.missing],
        "remedies": [_remedy(one) for one in finding.remedies],
        "related": [
            {"path": one.file, "line": one.line, "column": one.column}
            for one in finding.related
            if isinstance(one, Origin)
        ],
        "fingerprint": finding.fingerprint,
        "help": finding.help_uri,
    }


def _source(place: Place | None) -> Json:
    """The answer of a service that a fact came from; null for what a file says."""
    return place.to_json() if isinstance(place, Source) else None


def _differential(differential: Differential) -> dict[str, Json]:
    return {
        "symptom": differential.symptom,
        "title": differential.title,
        "explained": differential.explained,
        "follows": list(differential.follows),
        "traces": [{"source": one.source, "line": one.line, "text": one.text} for one in differential.traces],
        "causes": [
            {
                "rule": one.rule,
                "status": str(one.status),
                "fingerprint": one.fingerprint,
                "evidence": [{"path": fact.path, "value": _plain(fact.value)} for fact in one.evidence],
                "next": one.next_step,
            }
            for one in differential.causes
        ],
    }


def _missing(missing: Missing) -> dict[str, Json]:
    reason = missing.reason
    return {
        "fact": missing.path,
        "code": reason.code,
        "detail": reason.detail,
        "permission": reason.permission,
        "command": reason.collect_command,
    }


def _remedy(remedy: Remedy) -> dict[str, Json]:
    return {
        "title": remedy.title,
        "level": str(remedy.level),
        "edits": list(remedy.edits),
        "steps": remedy.steps,
        "actions": list(remedy.actions),
    }
