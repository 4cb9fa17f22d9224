"""Joins the reports of shards to the report that one run over all of them would have made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pfdoctor.audit.record import order
from pfdoctor.audit.report import AuditReport, Run, make_report
from pfdoctor.core.model import Json, PfdoctorError
from pfdoctor.report.fleet import parse
from pfdoctor.report.summary import Gate


def merge(paths: Sequence[Path], gate: Gate) -> AuditReport:
    """The report of the parts. A shard that is missing is a problem of the report, which then is not complete.

    Raises PfdoctorError for what is no report of an audit, and for parts that are not of one audit.
    """
    parts = [_read(path) for path in paths]
    first = parts[0]
    for path, part in zip(paths, parts, strict=True):
        for key in ("version", "scope", "rules"):
            if part[key] != first[key]:
                raise PfdoctorError(f"{path} is of another audit than {paths[0]}: its {key} differs")
    entries: dict[str, dict[str, Json]] = {}
    for path, part in zip(paths, parts, strict=True):
        for entry in part["endpoints"]:
            if entries.setdefault(entry["id"].lower(), entry) is not entry:
                raise PfdoctorError(f"{path} has {entry['id']}, which an earlier part has, too: give each part once")
    problems = list({json.dumps(one, sort_keys=True): one for part in parts for one in part["problems"]}.values())
    missing = _missing(parts, paths)
    problems += missing
    ordered = sorted(entries.values(), key=order)
    run = Run(first["scope"], None, first["rules"], _run(parts, complete=not missing), problems)
    return make_report(run, lambda: iter(ordered), gate)


def _read(path: Path) -> dict[str, Json]:
    try:
        return parse(path.read_text("utf-8-sig"), str(path))
    except OSError as error:
        raise PfdoctorError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PfdoctorError(f"{path} is no UTF-8 text: byte {error.start}") from error


def _missing(parts: Sequence[dict[str, Json]], paths: Sequence[Path]) -> list[dict[str, Json]]:
    """The shards that no part is, as problems."""
    shards = [part["shard"] for part in parts if part["shard"] is not None]
    sizes = {one["of"] for one in shards}
    if len(sizes) > 1 or (shards and len(shards) != len(parts)):
        raise PfdoctorError(f"{paths[0]} and the others are not shards of one run: --shard I/N has the same N in all")
    here: dict[int, Path] = {}
    for path, part in zip(paths, parts, strict=True):
        index = part["shard"]["index"] if shards else 0
        if here.setdefault(index, path) is not path and shards:
            raise PfdoctorError(f"{path} and {here[index]} are both shard {index}: give each part once")
    return [
        {
            "path": f"shard {index}/{of}",
            "problem": "missing",
            "detail": "no part is this shard, so its endpoints are missing",
        }
        for of in sizes
        for index in range(1, of + 1)
        if index not in here
    ]


def _run(parts: Sequence[dict[str, Json]], *, complete: bool) -> dict[str, Json]:
    runs = [part["run"] for part in parts]
    return {
        **runs[0],
        "started_at": min(one["started_at"] for one in runs),
        "finished_at": max(one["finished_at"] for one in runs),
        "duration_seconds": max(one["duration_seconds"] for one in runs),
        "requests": sum(one["requests"] for one in runs),
        "throttled": sum(one["throttled"] for one in runs),
        "in_scope": max(one["in_scope"] for one in runs),
        "complete": complete and all(one["complete"] for one in runs),
    }
