"""The report of an audit, in each of its formats, to where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pfdoctor.cli.output import STDOUT, Sink, print_lines, sink, width, write
from pfdoctor.core.model import Json, PfdoctorError
from pfdoctor.report.style import plain

if TYPE_CHECKING:
    from pfdoctor.audit.report import AuditReport
    from pfdoctor.core.rule import Rule
    from pfdoctor.report.summary import Gate


def foresee(destinations: Sequence[tuple[str, str]], since: Path | None) -> dict[str, Json] | None:
    """The older report. Raises PfdoctorError, before an hour is spent, for what would keep it from being told."""
    for _, target in destinations:
        if target != STDOUT and not Path(target).parent.is_dir():
            raise PfdoctorError(f"cannot write {target}: there is no folder {Path(target).parent}")
    if since is None:
        return None
    if all(kind != "markdown" for kind, _ in destinations):
        raise PfdoctorError("--since is for --format markdown; pfdoctor audit diff OLD.json NEW.json compares reports")
    from pfdoctor.cli.audit_diff import read_audit

    return read_audit(since)


def deliver(
    report: AuditReport,
    destinations: Sequence[tuple[str, str]],
    rules: Iterable[Rule],
    gate: Gate,
    *,
    color: str,
    quiet: bool,
    statistics: bool,
    since: dict[str, Json] | None,
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


def _markdown(report: AuditReport, since: dict[str, Json] | None) -> str:
    from pfdoctor.report.fleet_diff import compare
    from pfdoctor.report.fleet_markdown import render

    document = _document(report)
    return render(document, compare(since, document) if since is not None else None)


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
