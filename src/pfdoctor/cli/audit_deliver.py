"""The report of an audit, in each of its formats, to where it goes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pfdoctor.cli.output import STDOUT, Sink, print_lines, say, sink, width, write
from pfdoctor.core.model import Json, PfdoctorError
from pfdoctor.report.style import plain

if TYPE_CHECKING:
    from pfdoctor.audit.report import AuditReport
    from pfdoctor.core.rule import Rule
    from pfdoctor.report.summary import Gate


def foresee(destinations: Sequence[tuple[str, str]], since: Path | None) -> dict[str, Json] | None:
    """The older report. Raises PfdoctorError, before an hour is spent, for what would keep it from being told."""
    for _, target in destinations:
        file = Path(target)
        if target == STDOUT:
            continue
        if not file.parent.is_dir():
            raise PfdoctorError(f"cannot write {target}: there is no folder {file.parent}")
        if file.is_dir():
            raise PfdoctorError(f"cannot write {target}: it is a folder. Give --output the name of a file")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise PfdoctorError(f"cannot write {target}: Permission denied. Give --output another name")
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

    `rules` are those that ran, or those that are known to whoever merges. Raises PfdoctorError for the first output
    that cannot be written, when all others are.
    """

    def failure(kind: str, target: str) -> PfdoctorError | None:
        try:
            _deliver(report, kind, target, rules, gate, color=color, quiet=quiet, statistics=statistics, since=since)
        except PfdoctorError as error:
            return error
        return None

    failures = [one for one in itertools.starmap(failure, destinations) if one is not None]
    for further in failures[1:]:
        say(f"error: {further}")
    if failures:
        raise failures[0]
    return report.exit_code


def _deliver(
    report: AuditReport,
    kind: str,
    target: str,
    rules: Iterable[Rule],
    gate: Gate,
    *,
    color: str,
    quiet: bool,
    statistics: bool,
    since: dict[str, Json] | None,
) -> None:
    """Writes the report in one format; of a stream nothing is left to be written."""
    from pfdoctor.audit.text import render

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
