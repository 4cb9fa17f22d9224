"""The report of an audit, in each of its formats, to where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pfdoctor.cli.output import STDOUT, Sink, print_lines, sink, width, write
from pfdoctor.core.model import Json
from pfdoctor.report.style import plain

if TYPE_CHECKING:
    from pfdoctor.audit.report import AuditReport
    from pfdoctor.core.rule import Rule
    from pfdoctor.report.summary import Gate


def deliver(
    report: AuditReport,
    destinations: Sequence[tuple[str, str]],
    rules: Iterable[Rule],
    gate: Gate,
    *,
    color: str,
    quiet: bool,
    statistics: bool,
    since: Path | None,
) -> int:
    """Writes the report to all but its streams; the exit code. `since` is an older report, for what is new in it.

    `rules` are those that ran, or those that are known to whoever merges.
    """
    from pfdoctor.audit.text import render

    for kind, target in destinations:
        if kind == "json":
            with sink(target) as file:
                for chunk in report.chunks():
                    file.write(chunk)
        elif kind == "markdown":
            write(_markdown(report, since), target)
        elif kind == "openmetrics":
            from pfdoctor.report.openmetrics import render_audit

            write(render_audit({**report.head, "endpoints": report.entries()}), target)
        elif kind == "sarif":
            from pfdoctor.report.fleet_sarif import render as render_sarif

            write(render_sarif(_document(report), rules), target)
        elif kind == "junit":
            from pfdoctor.report.fleet_junit import render as render_junit

            write(render_junit(_document(report), gate), target)
        elif kind == "text":
            if target == STDOUT:
                print_lines(render(report, width(), quiet=quiet, statistics=statistics), color)
            else:
                write(plain(render(report, width(), quiet=quiet, statistics=statistics)), target)
    return report.exit_code


def _markdown(report: AuditReport, since: Path | None) -> str:
    from pfdoctor.cli.audit_diff import read_audit
    from pfdoctor.report.fleet_diff import compare
    from pfdoctor.report.fleet_markdown import render

    document = _document(report)
    return render(document, compare(read_audit(since), document) if since is not None else None)


def _document(report: AuditReport) -> dict[str, Json]:
    return {**report.head, "endpoints": list(report.entries())}


def stream(entries: Iterable[dict[str, Json]], target: str) -> None:
    """Writes entries as JSON lines."""
    with sink(target) as file:
        for entry in entries:
            write_line([file], entry)


def write_line(sinks: Iterable[Sink], entry: dict[str, Json]) -> None:
    """Writes an entry as a line of JSON."""
    from pfdoctor.report.json import encode

    for one in sinks:
        one.write(encode({"kind": "endpoint", **entry}) + "\n")
